/** Text after substitution, or the cause in envsubst's words. */
export type Substituted = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly error: string };

/**
 * Replaces `${NAME}`, `${NAME:=default}`, `${NAME:-default}`, `${NAME-default}`; `$${NAME}` stays as `${NAME}`. A name
 * without value and default is an error (strict, the default since Flux 2.9). `$NAME` without braces is left alone.
 */
export function substitute(source: string, values: Readonly<Record<string, string>>): Substituted {
  let error: string | null = null;
  const text = source.replaceAll(
    /\$?\$\{([_a-zA-Z][_a-zA-Z0-9]*)(?:(:?[=-])([^}]*))?\}/g,
    (whole, name: string, sign?: string, fallback?: string) => {
      if (whole.startsWith('$$')) return whole.slice(1);
      const value = values[name];
      if (value !== undefined && (value !== '' || sign === undefined || !sign.startsWith(':'))) return value;
      if (sign !== undefined) return fallback ?? '';
      error ??= `variable not set (strict mode): ${JSON.stringify(name)}`;
      return whole;
    },
  );
  return error === null ? { ok: true, text } : { ok: false, error };
}
