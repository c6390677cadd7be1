import { mount } from 'svelte';
import './design/base.css';
import App from './App.svelte';
import { trpcApi } from './api/trpc-api.ts';
import { Router } from './router/router.ts';

const target = document.getElementById('app');
if (target !== null) {
  const router = new Router(window, document.baseURI);
  mount(App, { target, props: { api: trpcApi(document.baseURI), router } });
}
