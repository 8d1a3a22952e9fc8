import type { Layout, LayoutRequest, LayoutTable } from '../../../workers/layout';
import { WorkerLine } from '../bridge';

const line = new WorkerLine<LayoutTable>(
  'the graph',
  () => new Worker(new URL('../../../workers/layout.ts', import.meta.url), { type: 'module', name: 'layout' }),
);

export const placeLayers = (request: LayoutRequest): Promise<Layout> => line.call((remote) => remote.place(request));
