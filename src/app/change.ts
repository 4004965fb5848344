/** Station 1, app: what changed in the application, and who asked. */

/** The application commit and pipeline that a change came from. A claim until it is verified against GitLab. */
export interface Origin {
  /** Full path of the application project, e.g. `shop/podinfo`. */
  readonly project: string;
  /** 40 hex digits. */
  readonly commit: string;
  /** Branch or tag name. */
  readonly ref: string;
  /** Pipeline id, where known. */
  readonly pipeline: number | null;
}

/** One image to set. `name` is what manifests call it; at least one of the others is given. */
export interface ImageChange {
  readonly name: string;
  readonly newName?: string;
  readonly tag?: string;
  /** `sha256:<64 hex>` */
  readonly digest?: string;
}

/** One value to set that is not an image. */
export interface ValueChange {
  /** File inside the app's path. */
  readonly file: string;
  /** JSON Pointer or dotted path. */
  readonly path: string;
  readonly value: string;
}

/** What `update` is asked to carry into the delivery repository. */
export interface AppChange {
  readonly app: string;
  readonly environments: readonly string[];
  readonly images: readonly ImageChange[];
  readonly values: readonly ValueChange[];
  readonly origin: Origin | null;
}
