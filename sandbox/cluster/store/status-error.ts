/** A refusal of the API server, sent as a `Status` object. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  constructor(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** What the texts name: `deployments.apps`, `configmaps`. */
export interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** `deployments.apps`; core kinds without group. */
export function qualified(resource: { readonly group: string; readonly plural: string }): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

const details = (resource: Named, name: string) => ({ name, group: resource.group, kind: resource.plural });

export function notFound(resource: Named, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualified(resource)} "${name}" not found`, details(resource, name));
}

export function alreadyExists(resource: Named, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${qualified(resource)} "${name}" already exists`,
    details(resource, name),
  );
}

export function conflict(resource: Named, name: string): StatusError {
  const why = 'the object has been modified; please apply your changes to the latest version and try again';
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    details(resource, name),
  );
}

/** `causes` are texts such as `spec.replicas: Invalid value: -1: must be greater than or equal to 0`. */
export function invalid(resource: Named, name: string, causes: readonly string[]): StatusError {
  const subject = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  const shown = causes.length === 1 ? (causes[0] ?? '') : `[${causes.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${subject} "${name}" is invalid: ${shown}`, {
    name,
    group: resource.group,
    kind: resource.kind,
    causes: causes.map((cause) => ({ message: cause })),
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** The API server's answer to a version of the past that it does not keep. */
export function expired(asked: number, oldest: number): StatusError {
  return new StatusError(410, 'Expired', `too old resource version: ${asked} (${oldest})`);
}

/** Body of an error answer. */
export function statusBody(error: StatusError): Record<string, unknown> {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    ...(error.details === undefined ? {} : { details: error.details }),
    code: error.code,
  };
}
