import './theme.css';
import { mountStudio } from './mount';
import { registerServiceWorker } from './register-sw';
import { startLocale } from './text';

// First: what the page starts waits until it is clear whether it will be loaded again.
void registerServiceWorker(() => {
  document.documentElement.dataset.offline = 'ready';
});
void startLocale().then(() => mountStudio(document.getElementById('app')!));
