import { hailoDevice } from './hailo';

export const hailo10h = hailoDevice({
  id: 'hailo10h',
  title: 'Hailo-10H',
  hwArch: 'hailo10h',
  line: '5.x',
  loads: { value: ['hailo10h', 'hailo15h', 'hailo15m'], mark: 'verified', source: 'hailort v4.23.0, device_internal.cpp' },
  warnings: ['The model zoo compiles for Hailo-10H with the scripts of Hailo-15H.'],
});
