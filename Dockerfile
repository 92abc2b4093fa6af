# One image, three commands: `npm start` (all in one), `npm run gateway`, `npm run api`.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings Node and production brings its own PostgreSQL: what only a bare machine needs stays out.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json engine.js main.ts ./
COPY protocol protocol
COPY db db
COPY gateway gateway
COPY api api
COPY simulators simulators
RUN mkdir data && chown node:node data
USER node
EXPOSE 8000 9066 9067 9090 1883 8083 9068
STOPSIGNAL SIGTERM
# Both halves answer /health: the API on its own port, a gateway beside its metrics.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "const get=p=>fetch(`http://127.0.0.1:${p}/health`).then(r=>r.ok);Promise.any([get(process.env.API_PORT||8000),get(process.env.METRICS_PORT||9090)]).then(ok=>process.exit(ok?0:1),()=>process.exit(1))"]
CMD ["node", "--max-semi-space-size=2", "--import", "./engine.js", "main.ts"]
