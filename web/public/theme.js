// Sets the theme before the first paint, so that a dark room never sees a white flash.
// A file of its own because the content security policy forbids inline scripts.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem('sb.theme');
  } catch {
    // Storage can be blocked; the system's choice is used then.
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
