# syntax=docker/dockerfile:1
# One image per service: docker build -f infra/service.Dockerfile --build-arg APP=collector .
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# ---- the dashboard, which only the gateway carries ----
FROM ${NODE_IMAGE} AS build
ARG APP
WORKDIR /meadow
COPY package.json package-lock.json .npmrc ./
COPY apps apps
COPY libs libs
COPY bench/package.json bench/
COPY e2e/package.json e2e/
COPY tsconfig.base.json ./
# the image's Node is the pinned one: no install script is needed
RUN mkdir -p apps/dashboard/dist \
  && if [ "$APP" = gateway ]; then \
       npm ci --workspace=@meadow/dashboard --include=dev --ignore-scripts --no-audit --no-fund \
       && npm run build --workspace=@meadow/dashboard \
       && rm -rf node_modules; \
     fi

# ---- what the service runs on ----
FROM ${NODE_IMAGE} AS packages
ARG APP
WORKDIR /meadow
COPY --from=build /meadow ./
RUN test -n "$APP" || { echo 'say which: --build-arg APP=collector|aggregator|control|gateway|embedded-clickhouse' >&2; exit 1; } \
  && npm ci --workspace=@meadow/$APP --omit=dev --ignore-scripts --no-audit --no-fund \
  && find apps libs -name '*.test.ts' -delete \
  && rm -rf apps/*/test libs/*/test

FROM ${NODE_IMAGE}
ARG APP
ENV NODE_ENV=production APP=${APP} NODE_COMPILE_CACHE=/meadow/compiled
# as SERVICE_ENV of libs/contract has it
ENV MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=262144 MALLOC_ARENA_MAX=2
WORKDIR /meadow
COPY --from=packages /meadow/package.json ./
COPY --from=packages /meadow/node_modules node_modules
COPY --from=packages /meadow/libs libs
COPY --from=packages /meadow/apps/${APP} apps/${APP}
COPY --from=packages /meadow/apps/dashboard/dist apps/dashboard/dist
COPY infra/ready.mjs infra/
# the gateway shows its examples
COPY docs/sql.md docs/
RUN mkdir compiled && chown node compiled
USER node
# a service that finds itself compiled starts faster, and takes 25 MB less without the compiler of TypeScript
RUN MEADOW_COMPILE_ONLY=1 node --max-semi-space-size=4 apps/${APP}/src/main.ts
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["sh", "-c", "node infra/ready.mjs http://127.0.0.1:${MEADOW_GATEWAY_PORT:-${MEADOW_HEALTH_PORT:-8080}}/readyz"]
# as NODE_FLAGS of libs/contract has it
CMD ["sh", "-c", "exec node --max-semi-space-size=4 apps/$APP/src/main.ts"]
