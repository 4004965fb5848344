/** What varies in the sample application. */
export interface SampleOptions {
  readonly namespace: string;
  /** Differs from revision to revision: goes into the generated ConfigMap and so into the Deployment. */
  readonly color?: string;
  /** Image tag; one with "broken" never becomes healthy, which shows after a second. */
  readonly tag?: string;
  /** lab/fate label of the Deployment. */
  readonly fate?: 'stuck' | 'deadline';
}

/** A small kustomize application, relative path → text: a Deployment, a Service and a generated ConfigMap. */
export function sampleApp({ namespace, color = 'blue', tag = '1.0.0', fate }: SampleOptions): Record<string, string> {
  return {
    'kustomization.yaml': `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: ${namespace}
resources: [deployment.yaml, service.yaml]
configMapGenerator:
- name: podinfo-config
  literals:
  - color=${color}
`,
    'deployment.yaml': deployment('podinfo', tag, fate),
    'service.yaml': `apiVersion: v1
kind: Service
metadata: {name: podinfo}
spec:
  selector: {app: podinfo}
  ports: [{name: http, port: 80, targetPort: http}]
`,
  };
}

/** A Deployment (stuck: one whose progress deadline is far away) that takes its environment from the ConfigMap podinfo-config. */
export function deployment(name: string, tag: string, fate?: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: {app: podinfo${fate ? `, lab/fate: ${fate}` : ''}}
spec:
  replicas: 2
  progressDeadlineSeconds: ${fate === 'stuck' ? 7200 : 20}
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec:
      containers:
      - name: podinfo
        image: registry.example.com/podinfo:${tag}
        envFrom: [{configMapRef: {name: podinfo-config, optional: true}}]
`;
}
