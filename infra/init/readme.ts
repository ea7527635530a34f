/** The README of a new project. */

export const readme = (name: string, images: string): string => `# ${name}

Made by \`npx distillery init\`. The images lie in \`${images}\`, one folder a class.

\`\`\`sh
npm install                               # once
npx distillery plan ./my-pipeline.ts      # what a run would do, and why
npx distillery run ./my-pipeline.ts       # trains, tests, writes a report; what is done is not done again
npx distillery predict ${name}/model photo.jpg
npm test                                  # the stage of your own, in memory
npm run check                             # types
\`\`\`

| file | |
|---|---|
| \`my-pipeline.ts\` | the pipeline: which stages, on what, with which params |
| \`stages/class-balance.ts\`, \`.run.ts\` | a stage of your own: what it takes and makes, and what it does |
| \`test/class-balance.test.ts\` | its test |

Things to try: \`--set model.training.epochs=60\`, \`--set model.architecture.width=32\`, more images.
Whatever you change, only what depends on it runs again; \`npx distillery plan\` says what and why.
`
