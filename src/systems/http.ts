/** One HTTP request outside the SDKs (Receivers, registries). Redirects are not followed. */
export interface Http {
  /** Rejects with a plain Error on network failure and time-out; every HTTP status is an answer. */
  request(
    url: string,
    options?: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
      readonly timeoutMs?: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<HttpAnswer>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}
