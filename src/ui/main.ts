import './theme.css';
import { mountStudio } from './mount';
import { registerServiceWorker } from './register-sw';

mountStudio(document.getElementById('app')!);
void registerServiceWorker(() => {
  document.documentElement.dataset.offline = 'ready';
});
