// Before anything is drawn: the theme that somebody chose, or the system's.
try {
  const chosen = localStorage.getItem('millrace.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // a browser that keeps nothing shows the system's
}
