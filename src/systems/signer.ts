/** Signs what was pushed. */
export interface Signer {
  /**
   * Signs a manifest by its digest and stores the signature beside it. Faults of `Registry`; `token_refused` for a key
   * that cannot be used; `tool_missing`.
   */
  sign(repository: string, digest: string, signal?: AbortSignal): Promise<void>;
}
