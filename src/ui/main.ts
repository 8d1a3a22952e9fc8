import './theme.css';
import { startStudio } from '.';

startStudio(document.getElementById('app')!);
