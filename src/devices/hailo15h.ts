import { hailoDevice } from './hailo';

export const hailo15h = hailoDevice({
  id: 'hailo15h',
  title: 'Hailo-15H',
  hwArch: 'hailo15h',
  line: '5.x',
  loads: { value: ['hailo10h', 'hailo15h', 'hailo15m'], mark: 'verified', source: 'hailort v4.23.0, device_internal.cpp' },
  warnings: ['A Hailo-15M takes only files compiled for it, a Hailo-15L only its own.'],
});
