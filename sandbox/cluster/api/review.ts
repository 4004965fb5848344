import { at, fields, text } from '../store/object.ts';
import { badRequest } from '../store/status-error.ts';
import type { Authorizer, User } from './authorize.ts';

/** Answers a SelfSubjectAccessReview, SelfSubjectReview or SubjectAccessReview body. Throws `StatusError` 400. */
export function review(plural: string, body: unknown, user: User, authorizer: Authorizer): Record<string, unknown> {
  const given = fields(body);
  if (plural === 'selfsubjectreviews') {
    return { ...given, status: { userInfo: { username: user.name, groups: user.groups } } };
  }
  const asked = fields(at(given, 'spec', 'resourceAttributes'));
  if (Object.keys(asked).length === 0) throw badRequest('spec.resourceAttributes is required');
  const subresource = text(asked['subresource']);
  const resource = text(asked['resource']);
  const isAllowed = authorizer.isAllowed(user, {
    verb: text(asked['verb']),
    group: text(asked['group']),
    resource: subresource === '' ? resource : `${resource}/${subresource}`,
    namespace: text(asked['namespace']) || null,
    name: text(asked['name']) || null,
  });
  return { ...given, metadata: {}, status: { allowed: isAllowed, ...(isAllowed ? {} : { reason: '' }) } };
}
