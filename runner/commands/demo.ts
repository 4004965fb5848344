import type { Command } from '../command.ts';

export const demoCommand: Command = {
  name: 'demo',
  summary: 'play the whole loop on this machine',
  description:
    'In a checkout of sluice: plays an application commit that becomes a healthy deployment, one that never does, a roll-forward, a change by a person and production by merge request, on a simulated GitLab, registry and cluster with real git, ORAS, kustomize and CI templates. With --delivery, --app and --image the loop runs on a copy of your own delivery repository, which is only read. Needs no account.',
  arguments: [],
  flags: [
    { name: 'keep', type: 'boolean', summary: 'leave it running, with a page to look at, until Ctrl-C' },
    { name: 'delivery', type: 'string', value: 'FOLDER', summary: 'your own delivery repository on this machine' },
    { name: 'app', type: 'string', value: 'NAME', summary: 'the app of it that is delivered' },
    { name: 'image', type: 'string', value: 'IMAGE', summary: 'the image that is delivered' },
    {
      name: 'real',
      type: 'boolean',
      summary: 'on the real Flux, API server and registry (needs Go; builds them once)',
    },
  ],
  examples: [
    ['The story', 'demo'],
    ['The story, and a page to look at afterwards', 'demo --keep'],
    [
      'The loop on your own repository',
      'demo --delivery ../delivery --app web --image registry.example.com/shop/web:1.2.3',
    ],
  ],
  load: async () => (await import('./demo.run.ts')).run,
};
