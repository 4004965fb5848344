/** The kustomize CLI. */
export interface Kustomize {
  /** `kustomize build --load-restrictor LoadRestrictionsNone`. The error text is kustomize's own, with folder names made relative. */
  build(
    folder: string,
    signal?: AbortSignal,
  ): Promise<{ readonly ok: true; readonly yaml: string } | { readonly ok: false; readonly error: string }>;
}
