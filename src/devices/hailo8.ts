import { hailoDevice } from './hailo';

export const hailo8 = hailoDevice({
  id: 'hailo8',
  title: 'Hailo-8',
  hwArch: 'hailo8',
  line: '3.x',
  loads: { value: ['hailo8', 'hailo8r', 'hailo8l'], mark: 'verified', source: 'hailort v4.23.0, device_internal.cpp' },
  warnings: ['A file compiled for Hailo-8L loads here too, but runs at the 8L’s speed.'],
});
