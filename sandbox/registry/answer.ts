/** What the registry answers; `body` is JSON when it is neither text nor bytes. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A request without its transport. */
export interface Question {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The whole body. */
  body(): Promise<Uint8Array>;
}

/** An error in the shape of the distribution specification. */
export function refusal(
  status: number,
  code: string,
  message: string,
  detail: unknown = null,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, headers, body: { errors: [{ code, message, detail }] } };
}
