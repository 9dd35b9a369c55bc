// The only script of Nadi's pages. It carries no wording: every text a person reads comes from the server.
import "./globals.js";
import "htmx-ext-sse";
import { Button } from "nhsuk-frontend/dist/nhsuk/components/button/button.mjs";
import { Checkboxes } from "nhsuk-frontend/dist/nhsuk/components/checkboxes/checkboxes.mjs";
import { ErrorSummary } from "nhsuk-frontend/dist/nhsuk/components/error-summary/error-summary.mjs";
import { PasswordInput } from "nhsuk-frontend/dist/nhsuk/components/password-input/password-input.mjs";
import { Radios } from "nhsuk-frontend/dist/nhsuk/components/radios/radios.mjs";
import { SkipLink } from "nhsuk-frontend/dist/nhsuk/components/skip-link/skip-link.mjs";

const components = [Button, Checkboxes, ErrorSummary, PasswordInput, Radios, SkipLink];

function start(Component, element) {
  if (!element.hasAttribute(`data-${Component.moduleName}-init`)) new Component(element);
}

function startAll(root) {
  for (const Component of components) {
    const selector = `[data-module="${Component.moduleName}"]`;
    if (root.matches?.(selector)) start(Component, root);
    root.querySelectorAll(selector).forEach((element) => start(Component, element));
  }
}

// Every request made by script carries the token that forms carry in a hidden field.
function sendToken({ detail }) {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token && detail.verb !== "get") detail.headers["X-CSRF-Token"] = token;
}

// What a page asks by itself says so: it keeps nobody signed in who has walked away.
function sayUnattended({ detail }) {
  const event = detail.triggeringEvent;
  if (!event || event.type === "load" || event.type.startsWith("sse:")) detail.headers["X-Unattended"] = "1";
}

function tellReachable(reachable) {
  const notice = document.getElementById("unreachable");
  if (notice) notice.hidden = reachable;
}

// A link's look on a button-like element promises that the space bar works too.
function pressWithSpace(event) {
  if (event.key !== " " || !event.target.matches?.('a[role="button"]')) return;
  event.preventDefault();
  event.target.click();
}

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
window.htmx.onLoad(startAll);
document.body.addEventListener("htmx:configRequest", sendToken);
document.body.addEventListener("htmx:configRequest", sayUnattended);
document.body.addEventListener("htmx:sendError", () => tellReachable(false));
document.body.addEventListener("htmx:timeout", () => tellReachable(false));
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.xhr?.status) tellReachable(true);
});
document.addEventListener("keydown", pressWithSpace);
