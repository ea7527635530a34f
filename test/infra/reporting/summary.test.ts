import { assert, describe, it } from "@effect/vitest"
import { clock, duration, metric, number, percent } from "../../../infra/reporting/numbers.ts"
import { fitted, oneLine, paintFor, widthOf } from "../../../infra/reporting/paint.ts"
import { type Expectation, planDocument, planLines } from "../../../infra/reporting/planTable.ts"
import { runDocument } from "../../../infra/reporting/RunDocument.ts"
import { countsLine, failedJobs, failureLines, resultLines } from "../../../infra/reporting/summary.ts"
import { digest, jobCode, manifest, pipeline, planWith, record, reportOf } from "./fixtures.ts"

const colourless = paintFor(false)
const error = { tag: "StageFailed", message: "the loss is NaN\nat step 7", logTail: ["a", "b\u001b[2J"] }
const jobs = [
  record("images", "ingest", {}),
  record("teacher", "pretrain", { state: "ran", seconds: 120.5 }),
  record("evaluate-teacher", "evaluate", { state: "failed", error })
]
const manifests = {
  images: manifest("images", "ingest", "prepared-dataset/classification", {}),
  teacher: manifest("teacher", "pretrain", "classifier", { numParams: 272_474, macs: 31_021_952 }),
  "evaluate-teacher": manifest("evaluate-teacher", "evaluate", "evaluation/classification", {
    metrics: { top1: 0.93125, top5: 0.999, loss: 0.21348 }
  })
}

describe("the document of a run", () => {
  it("lists scores under the job whose model was evaluated, with its size", () => {
    const document = runDocument(
      pipeline,
      { report: reportOf("ok", jobs), manifests },
      { reportFile: "/x/report.html" }
    )
    assert.deepStrictEqual(document.metrics, {
      teacher: { top1: 0.93125, top5: 0.999, loss: 0.21348, params: 272_474, macs: 31_021_952 }
    })
  })

  it("lists those of detectors and segmenters alike", () => {
    const made = {
      teacher: manifest("teacher", "transfer-detection", "detector", { numParams: 10, macs: 20, head: {} }),
      "evaluate-teacher": manifest("evaluate-teacher", "evaluate", "evaluation/detection", {
        metrics: { ap50: 0.75, ap: 0.5 },
        perClass: [{ name: "x", ap50: null }]
      })
    }
    const { metrics } = runDocument(
      pipeline,
      { report: reportOf("ok", jobs), manifests: made },
      { reportFile: undefined }
    )
    assert.deepStrictEqual(metrics, { teacher: { ap50: 0.75, ap: 0.5, params: 10, macs: 20 } })
  })

  it("has this shape", () => {
    const document = runDocument(
      pipeline,
      { report: reportOf("failed", jobs), manifests: {} },
      { reportFile: undefined }
    )
    assert.deepStrictEqual(JSON.parse(JSON.stringify(document)), {
      schemaVersion: 1,
      status: "failed",
      runId: "20261123-120000-abcdef",
      pipeline: "toy",
      seconds: 125.4,
      jobs: [
        { name: "images", stage: "ingest", key: digest("a"), state: "hit", seconds: 0, outputDigest: null },
        {
          name: "teacher",
          stage: "pretrain",
          key: digest("a"),
          state: "ran",
          seconds: 120.5,
          outputDigest: null
        },
        {
          name: "evaluate-teacher",
          stage: "evaluate",
          key: digest("a"),
          state: "failed",
          seconds: 0,
          outputDigest: null,
          error: { tag: "StageFailed", message: "the loss is NaN\nat step 7" }
        }
      ],
      metrics: {}
    })
  })
})

describe("the summary of a run", () => {
  it("prints a line a model, known metrics first", () => {
    const metrics = {
      teacher: { loss: 0.21348, top1: 0.93125, params: 272_474, macs: 31_021_952, brier: 0.11 },
      student: { top1: 0.9 }
    }
    assert.deepStrictEqual(resultLines(metrics, colourless), [
      "model      top-1    loss  params    MACs   brier",
      "teacher  93.13 %  0.2135   272 k  31.0 M  0.1100",
      "student  90.00 %"
    ])
  })

  it("prints a table for the models of each task, with its own columns", () => {
    const metrics = {
      segmenter: { meanIoU: 0.41, pixelAccuracy: 0.9, macs: 2_000_000, params: 1000 },
      teacher: { top1: 0.9, loss: 0.25 },
      detector: { ap50: 0.612, ap: 0.3, ap75: 0.25, params: 2000 },
      scratch: { ap50: 0.5, ap: 0.2 }
    }
    assert.deepStrictEqual(resultLines(metrics, colourless), [
      "model      top-1    loss",
      "teacher  90.00 %  0.2500",
      "",
      "model        AP50       AP     AP75  params",
      "detector  61.20 %  30.00 %  25.00 %  2.00 k",
      "scratch   50.00 %  20.00 %",
      "",
      "model         mIoU   pixAcc  params    MACs",
      "segmenter  41.00 %  90.00 %  1.00 k  2.00 M"
    ])
    assert.deepStrictEqual(resultLines({}, colourless), [])
  })

  it("counts jobs by state", () => {
    assert.strictEqual(countsLine(reportOf("failed", jobs)), "3 jobs in 2:05: 1 ran, 1 hit, 1 failed")
  })

  it("says of a failure: stage, job, params, error, log and how to run it alone", () => {
    const [failed] = failedJobs(
      pipeline,
      reportOf("failed", jobs),
      (job) => `npx distillery run toy --only ${job}`
    )
    assert.deepStrictEqual(failureLines(failed!, colourless), [
      "error: job evaluate-teacher (stage evaluate) failed",
      "  the loss is NaN",
      "  at step 7",
      "  params  {}",
      "  log",
      "    a",
      "    b",
      "  again   npx distillery run toy --only evaluate-teacher"
    ])
  })
})

describe("a plan", () => {
  const plan = planWith({
    teacher: {
      _tag: "Miss",
      key: digest("d"),
      code: jobCode,
      reason: {
        kind: "changed",
        changes: [{ kind: "param", path: "epochs", before: "10", after: "20", text: "epochs 10 → 20" }],
        text: "epochs 10 → 20"
      }
    },
    "evaluate-teacher": { _tag: "Waits", on: ["teacher"] }
  })

  it("is a table with a reason for every job that is no hit", () => {
    assert.deepStrictEqual(planLines(plan, colourless), [
      "job               stage     state     why",
      "images            ingest    hit",
      "teacher           pretrain  will run  epochs 10 → 20",
      "evaluate-teacher  evaluate  waits     waits for teacher",
      "",
      "2 of 3 jobs to do; those that wait are hits if what they wait for comes out unchanged."
    ])
  })

  it("is a document with the same", () => {
    const document = planDocument(plan)
    assert.strictEqual(document.pending, 2)
    assert.deepStrictEqual(document.jobs[1], {
      name: "teacher",
      stage: "pretrain",
      key: digest("d"),
      state: "will-run",
      reason: "epochs 10 → 20",
      changes: [{ kind: "param", path: "epochs", text: "epochs 10 → 20" }],
      estimate: null
    })
    assert.strictEqual(document.jobs[2]?.key, null)
    assert.isNull(document.estimate)
  })

  const expected: Expectation = {
    estimate: {
      jobs: { teacher: { seconds: 125, storedBytes: 12_000_000, differs: ["epochs"] } },
      unknown: ["evaluate-teacher"],
      wallSeconds: 125,
      storedBytes: 12_000_000
    },
    freeBytes: 50_000_000
  }

  it("says what past runs took, and of what there was none", () => {
    assert.deepStrictEqual(planLines(plan, colourless, expected), [
      "job               stage     state           takes   stores  why",
      "images            ingest    hit",
      "teacher           pretrain  will run         2:05  12.0 MB  epochs 10 → 20",
      "evaluate-teacher  evaluate  waits     no past run           waits for teacher",
      "",
      "2 of 3 jobs to do; those that wait are hits if what they wait for comes out unchanged.",
      "About 2:05 and 12.0 MB, as past runs took; 1 job has no past run."
    ])
    const document = planDocument(plan, expected)
    assert.deepStrictEqual(document.jobs[1]!.estimate, expected.estimate.jobs.teacher)
    assert.deepInclude(document.estimate, { wallSeconds: 125, freeBytes: 50_000_000 })
  })

  it("warns where the results will not fit", () => {
    assert.strictEqual(
      planLines(plan, colourless, { ...expected, freeBytes: 5_000_000 }).at(-1),
      "warning: the store has room for 5.00 MB, and 12.0 MB are expected: free some, or point " +
        "DISTILLERY_STORE elsewhere."
    )
  })

  it("without anything pending says so", () => {
    assert.strictEqual(planLines(planWith({}), colourless).at(-1), "Nothing to do: all results are there.")
  })
})

describe("numbers and text", () => {
  it("numbers are printed for people", () => {
    assert.deepStrictEqual([0.42, 9.94, 9.96, 59.4, 59.6, 125, 3725].map(duration), [
      "0.4 s",
      "9.9 s",
      "10 s",
      "59 s",
      "1:00",
      "2:05",
      "1:02:05"
    ])
    assert.deepStrictEqual([0, 59.6, 3600, -1].map(clock), ["0:00", "1:00", "1:00:00", "0:00"])
    assert.deepStrictEqual([1234.5, 12, 0.52341, 1e-9, Number.NaN].map(number), [
      "1,235",
      "12",
      "0.5234",
      "1.00e-9",
      "NaN"
    ])
    assert.deepStrictEqual([999, 1000, 78_330, 999_600, 31_021_952, 4.09e9].map(metric), [
      "999",
      "1.00 k",
      "78.3 k",
      "1.00 M",
      "31.0 M",
      "4.09 G"
    ])
    assert.strictEqual(percent(0.93125), "93.13 %")
  })

  it("width is what is seen", () => {
    assert.strictEqual(widthOf(paintFor(true).red("日本")), 4)
    assert.strictEqual(widthOf("e\u0301"), 1)
    assert.strictEqual(fitted("日本語", 5), "日本…")
    assert.strictEqual(fitted("abc", 3), "abc")
    assert.strictEqual(oneLine("a\n  b\u001b[31mc"), "a bc")
  })
})
