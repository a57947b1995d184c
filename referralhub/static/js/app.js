// What HTML cannot do by itself: remember the theme, copy, share, and explain a figure that changed.
// Loaded before the page is drawn, so that the remembered theme never flashes.
(() => {
  "use strict";

  const root = document.documentElement;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  root.classList.add("js");
  if (navigator.share) root.classList.add("can-share");

  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off: follow the system
    }
  };
  if (remembered()) root.dataset.theme = remembered();

  // What surrounds the page takes its colour from the scheme of the system, unless somebody chose the other one.
  const surroundings = [...document.querySelectorAll("meta[name='theme-color']")];
  const colours = surroundings.map((each) => each.content);
  function colourSurroundings() {
    const chosen = surroundings.findIndex((each) => each.media.includes(root.dataset.theme ?? "neither"));
    if (chosen >= 0) surroundings.forEach((each) => (each.content = colours[chosen]));
  }
  colourSurroundings();

  function switchTheme() {
    const dark = (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    colourSurroundings();
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // it lasts for this page then
    }
  }

  const announce = (text) => {
    document.getElementById("announcer").textContent = text;
  };

  async function copy(button) {
    const input = document.querySelector(button.dataset.copy);
    const label = button.querySelector("[data-label]");
    try {
      await navigator.clipboard.writeText(input.value);
    } catch {
      input.select(); // plain http, or the browser said no: the old way
      if (!document.execCommand("copy")) {
        announce(button.dataset.byHand);
        return;
      }
    }
    button.dataset.before ??= label.textContent;
    label.textContent = button.dataset.done;
    button.classList.add("copied");
    announce(button.dataset.announce);
    clearTimeout(button.reset);
    button.reset = setTimeout(() => {
      label.textContent = button.dataset.before;
      button.classList.remove("copied");
      announce("");
    }, 2000);
  }

  // The link is there to be taken as a whole, however somebody gets to it.
  ["click", "focusin"].forEach((kind) =>
    document.addEventListener(kind, (event) => event.target.matches(".link-box input") && event.target.select()),
  );

  function share(button) {
    const like = button.dataset.shareAs; // which button knows what is shared
    const { shareTitle: title, shareText: text, shareUrl: url } = (like ? document.querySelector(like) : button).dataset;
    navigator.share({ title, text, url }).catch(() => {}); // closing the sheet is no error
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-share], [data-share-as], [data-theme-switch]");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    else if ("share" in button.dataset || "shareAs" in button.dataset) share(button);
    else switchTheme();
  });

  // How long a new password would last, judged here: nothing is sent while somebody types.
  function strength(password) {
    const left = 8 - [...password].length;
    if (left > 0) return [0, left];
    const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(password)).length;
    const parts = password.toLowerCase().replace(/(.)\1+/g, "$1").replace(/0?123(4(5(6(7(8(90?)?)?)?)?)?)?|abc(def)?|qwert[yz]?|asdf(gh)?|passw[o0]rd/g, "1");
    const guesses = new Set(parts).size + parts.length + 2 * kinds; // rough: length counts most
    return [guesses < 16 ? 1 : guesses < 24 ? 2 : guesses < 34 ? 3 : 4, 0];
  }

  document.addEventListener("input", (event) => {
    const box = document.getElementById(event.target.dataset.strength ?? "");
    if (!box) return;
    const [level, missing] = strength(event.target.value);
    box.hidden = !event.target.value;
    box.querySelector("meter").value = Math.max(level, 0.5);
    box.querySelector("[data-words]").textContent = box.dataset[`level${level}`].replace("%n", missing);
  });

  // A photograph is made small before it is sent: phones take larger ones than the form does, and write in them where.
  async function shrink(input) {
    const file = input.files[0];
    try {
      const picture = await createImageBitmap(file);
      const scale = Math.min(1, Number(input.dataset.shrink) / Math.min(picture.width, picture.height));
      const canvas = new OffscreenCanvas(Math.ceil(picture.width * scale), Math.ceil(picture.height * scale));
      const pen = canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
      const small = await canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
      const files = new DataTransfer();
      files.items.add(new File([small], file.name, { type: small.type }));
      if (input.files[0] === file) input.files = files.files; // and not another one, chosen meanwhile
    } catch {
      // sent as it is: whether it can be used is said there
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.dataset.shrink && event.target.files.length) shrink(event.target);
  });

  // A menu closes when the person goes elsewhere.
  const closeMenus = (except) =>
    document.querySelectorAll("details.menu[open]").forEach((menu) => menu !== except && (menu.open = false));
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus());

  // Live figures: what rose counts up, and its tile glows once.
  const shown = {};
  const readStats = () => {
    document.querySelectorAll("[data-stat]").forEach((stat) => (shown[stat.dataset.stat] = Number(stat.dataset.value)));
    document.querySelectorAll("[data-badge]").forEach((badge) => (shown[badge.dataset.badge] = badge.dataset.earned));
  };

  function countUp(stat, from, to) {
    const figure = stat.firstElementChild; // and not its text: a browser that translates puts another in its place
    const text = figure.textContent; // as the server wrote it
    const number = to.toLocaleString(root.lang);
    if (still.matches || document.hidden || !text.includes(number)) return; // money is not counted up
    const start = performance.now();
    const step = (time) => {
      if (Number(stat.dataset.value) !== to) return; // a newer figure came while the tab was not looked at
      const part = Math.min(1, Math.max(0, (time - start) / 600)); // the frame may have begun before
      const value = Math.round(from + (to - from) * (1 - (1 - part) ** 3));
      figure.textContent = part < 1 ? text.replace(number, value.toLocaleString(root.lang)) : text;
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  function explainChange() {
    document.querySelectorAll("[data-stat]").forEach((stat) => {
      const name = stat.dataset.stat;
      const value = Number(stat.dataset.value);
      if (name in shown && value > shown[name]) {
        countUp(stat, shown[name], value);
        const tile = stat.closest(".tile");
        tile.classList.remove("risen");
        void tile.offsetWidth; // restarts the animation
        tile.classList.add("risen");
        if (name === "total_referrals") announce(document.getElementById("stats").dataset.confirmed.replace("%n", value.toLocaleString(root.lang)));
      }
    });
    document.querySelectorAll("[data-badge][data-earned='true']").forEach((badge) => {
      if (shown[badge.dataset.badge] !== "false") return;
      badge.classList.add("new");
      announce(`${document.getElementById("stats").dataset.badge}: ${badge.textContent.trim()}`);
    });
    readStats();
  }

  // A form is sent once. Its buttons are given back when the answer was no page, or somebody comes back to it.
  const SENT_IN_VAIN = 10000; // milliseconds
  function giveBack(form) {
    form.removeAttribute("aria-busy");
    form.querySelectorAll("[data-sending]").forEach((button) => {
      button.disabled = false;
      button.removeAttribute("aria-busy");
      button.removeAttribute("data-sending");
    });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      return;
    }
    form.setAttribute("aria-busy", "true");
    setTimeout(() => { // what is pressed is sent along, which what is disabled is not
      form.querySelectorAll("[type=submit]:not(:disabled)").forEach((button) => {
        button.disabled = true;
        button.dataset.sending = "";
      });
      event.submitter?.setAttribute("aria-busy", "true");
    });
    setTimeout(() => giveBack(form), SENT_IN_VAIN);
  });
  addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll("form[aria-busy]").forEach(giveBack));

  // What somebody asked for by a link, and htmx could not fetch, the browser is asked for: it can say what is wrong.
  function goThere(ctx) {
    const link = ctx?.sourceElement?.closest?.("a[href]");
    if (link) location.assign(link.href);
  }

  function live(working) {
    const notice = document.getElementById("live-notice");
    if (notice) notice.hidden = working;
  }

  document.addEventListener("DOMContentLoaded", () => {
    readStats();
    document.querySelector("[data-focus]")?.focus();
    document.body.addEventListener("htmx:after:swap", () => document.getElementById("stats") && explainChange());
    document.body.addEventListener("htmx:after:request", (event) => {
      const status = event.detail?.ctx?.response?.status;
      if (status) live(status < 500);
      if (status >= 400) goThere(event.detail.ctx);
    });
    document.body.addEventListener("htmx:error", (event) => {
      live(false);
      goThere(event.detail?.ctx);
    });
  });
})();
