// Every address of the dashboard. Screens with something heavy in them are loaded when they are opened.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';

import { Overview } from './screens/Overview';
import { NotFound, Shell, Crashed } from './Shell';
import { parseSearch, stringifySearch } from './state/address';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const under = () => root;

const run = createRoute({
  getParentRoute: under,
  path: '/runs/$id',
  component: lazyRouteComponent(() => import('./run/RunScreen'), 'RunScreen'),
});

const routes = [
  createRoute({ getParentRoute: under, path: '/', component: Overview }),
  createRoute({
    getParentRoute: under,
    path: '/workflows',
    component: lazyRouteComponent(() => import('./screens/Workflows'), 'Workflows'),
  }),
  createRoute({
    getParentRoute: under,
    path: '/workflows/new',
    component: lazyRouteComponent(() => import('./screens/EditorScreen'), 'EditorScreen'),
  }),
  createRoute({
    getParentRoute: under,
    path: '/workflows/$key',
    component: lazyRouteComponent(() => import('./screens/WorkflowScreen'), 'WorkflowScreen'),
  }),
  createRoute({ getParentRoute: under, path: '/runs', component: lazyRouteComponent(() => import('./screens/Runs'), 'Runs') }),
  // the task is a panel of the run's screen, which stays
  run.addChildren([createRoute({ getParentRoute: () => run, path: '/tasks/$task' })]),
  createRoute({
    getParentRoute: under,
    path: '/approvals',
    component: lazyRouteComponent(() => import('./screens/Approvals'), 'Approvals'),
  }),
  createRoute({
    getParentRoute: under,
    path: '/schedules',
    component: lazyRouteComponent(() => import('./screens/Schedules'), 'Schedules'),
  }),
  createRoute({
    getParentRoute: under,
    path: '/dlq',
    component: lazyRouteComponent(() => import('./screens/DeadLetters'), 'DeadLetters'),
  }),
];

export const router = createRouter({
  routeTree: root.addChildren(routes),
  parseSearch,
  stringifySearch,
  defaultErrorComponent: Crashed,
  defaultPreload: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
