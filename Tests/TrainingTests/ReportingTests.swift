import Formats
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Metrics
@testable import Training

/// A recorder of what a console shows, with a clock that the test moves.
private final class Screen: Sendable {
  private let text = Mutex("")
  private let seconds = Mutex(0.0)

  func console(terminal: Bool, width: Int = 200) -> Console {
    Console(isTerminal: terminal, width: { width }) { [self] written in text.withLock { $0 += written } }
  }

  var shown: String { text.withLock { $0 } }
  var lines: [String] { shown.split(separator: "\n").map(String.init) }
  var time: Double { seconds.withLock { $0 } }
  func wait(_ time: Double) { seconds.withLock { $0 += time } }
}

struct ProgressReporterTests {
  private let screen = Screen()

  @Test func plainLinesComeEveryTenSeconds() {
    let progress = ProgressReporter(
      "Training", total: 100, unit: "steps", console: screen.console(terminal: false), now: { screen.time })
    for _ in 0..<50 {
      screen.wait(0.5)
      progress.advance(note: "loss 2.00")
    }
    #expect(
      screen.lines == [
        "Training: 20/100 steps  2.0 steps/s, 40 s left, loss 2.00",
        "Training: 40/100 steps  2.0 steps/s, 30 s left, loss 2.00",
      ])
    progress.finish()
    #expect(screen.lines.last == "Training: 50 steps in 25 s, 2.0 steps/s")
  }

  @Test func theBarStaysBelowOtherLines() {
    let console = screen.console(terminal: true, width: 60)
    let progress = ProgressReporter(
      "Reading", total: 4, unit: "videos", done: 1, console: console, now: { screen.time })
    screen.wait(2)
    progress.advance()
    console.print("one is broken")
    progress.finish()
    let frames = screen.shown.components(separatedBy: "\r\u{1B}[2K")
    #expect(frames[1] == "Reading ━━━━━━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄ 2/4  2.0 s each, 4 s left")
    #expect(frames[2] == "one is broken\n" + frames[1])
    #expect(frames.allSatisfy { $0.split(separator: "\n").allSatisfy { $0.count < 60 } })
    #expect(screen.shown.hasSuffix("Reading: 2 videos in 2 s, 2.0 s each\n"))
  }

  @Test func manyThreadsCountTogether() async {
    let progress = ProgressReporter(
      "Reading", total: nil, unit: "videos", console: screen.console(terminal: false), now: { screen.time })
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { for _ in 0..<100 { progress.advance() } } }
    }
    progress.finish()
    #expect(screen.lines == ["Reading: 800 videos in 0 s"])
  }

  @Test func workTellsHowFarItIs() throws {
    let console = screen.console(terminal: false)
    let answer = try ProgressReporter.follow("Encoding", total: 9, unit: "videos", console: console) {
      progress in
      for done in [4, 8, 9] { try progress(done) }
      return 42
    }
    #expect(answer == 42)
    #expect(screen.lines.count == 1 && screen.shown.hasPrefix("Encoding: 9 videos in 0 s"))
  }

  @Test func workThatFailsLeavesNoBar() throws {
    struct Failure: Error {}
    let console = screen.console(terminal: true)
    #expect(throws: Failure.self) {
      try ProgressReporter.follow("Encoding", total: 9, unit: "videos", console: console) { progress in
        try progress(4)
        throw Failure()
      }
    }
    #expect(screen.shown.contains("4/9") && screen.shown.hasSuffix("\r\u{1B}[2K"))
  }

  @Test func durationsAreShort() {
    #expect(
      [0.4, 59, 187, 3723, .infinity].map(ProgressReporter.duration) == [
        "0 s", "59 s", "3:07", "1:02:03", "long",
      ])
  }
}

struct RunLogTests {
  @Test func linesWaitForTheFile() throws {
    let folder = try TemporaryFolder()
    let screen = Screen()
    let log = RunLog(console: screen.console(terminal: false), now: { Date(timeIntervalSince1970: 0) })
    log.info("before")
    let path = try folder.file("log.txt", "an earlier run\n")
    try log.attach(path: path)
    log.warning("after")
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0] == "an earlier run")
    #expect(lines[1].hasSuffix(" - INFO - hero -   before"))
    #expect(lines[2].hasSuffix(" - WARNING - hero -   after"))
    #expect(screen.lines.map { $0.dropFirst(9) } == ["before", "warning: after"])
    #expect(throws: DataError.self) {
      try RunLog(console: screen.console(terminal: false)).attach(path: folder.root)
    }
  }
}

struct MetricsTableTests {
  @Test func columnsAreAligned() {
    var table = MetricsTable(title: "Test", headings: ["", "R@1", "R@10"])
    table.add("VCMR", [1.5, 23])
    table.add("VR", [nil, 100])
    #expect(
      table.rendered() == """
        Test
        ┌──────┬──────┬────────┐
        │      │  R@1 │   R@10 │
        ├──────┼──────┼────────┤
        │ VCMR │ 1.50 │  23.00 │
        │ VR   │      │ 100.00 │
        └──────┴──────┴────────┘
        """)
  }

  @Test func measuresOfSeveralSourcesShareColumns() {
    let table = MetricsTable.measures(
      [
        ("mlm", [("loss", 1), ("acc", 0.5)]), ("mffr", [("loss", 2), ("cosine", 0.25)]), ("none", []),
      ], title: "validation")
    #expect(table.headings == ["", "loss", "acc", "cosine"])
    #expect(
      table.rows == [
        ["mlm", "1.000", "0.500", ""], ["mffr", "2.000", "", "0.250"], ["none", "", "", ""],
      ])
  }

  @Test func retrievalIsSortedByWhatPeopleLookAt() {
    func recall(
      _ ranking: Ranking, _ overlap: Float?, _ depth: Int, _ value: Double, type: String? = nil
    ) -> Recall { Recall(ranking: ranking, type: type, overlap: overlap, depth: depth, value: value) }
    let table = MetricsTable.retrieval(
      [
        recall(.video, nil, 1, 4), recall(.videoCorpusMoment, 0.5, 1, 1),
        recall(.videoCorpusMoment, 0.7, 1, 2), recall(.videoCorpusMoment, 0.5, 1, 5, type: "vt"),
      ], suppressed: (0.5, [recall(.singleVideoMoment, 0.7, 10, 3)]))
    #expect(table.headings == ["", "R@1", "R@10"])
    #expect(
      table.rows == [
        ["VCMR IoU 0.5", "1.00", ""], ["VCMR IoU 0.7", "2.00", ""], ["VR", "4.00", ""],
        ["VCMR (both) IoU 0.5", "5.00", ""], ["SVMR IoU 0.7 NMS 0.5", "", "3.00"],
      ])
  }
}

struct TrainingRatesTests {
  @Test func sourcesAreCountedApart() {
    let screen = Screen()
    var rates = TrainingRates(now: { Date(timeIntervalSince1970: screen.time) })
    rates.add("vsm_tv_all", examples: 32, loss: 3)
    #expect(!rates.isMixed)
    rates.add("mlm_tv_all", examples: 32, loss: 7)
    rates.add("mlm_tv_all", examples: 32, loss: 5)
    screen.wait(4)
    #expect(rates.isMixed)
    #expect(rates.scalars.map(\.name) == ["perf/vsm_tv_all_ex_per_s", "perf/mlm_tv_all_ex_per_s"])
    #expect(rates.scalars.map(\.value) == [8, 16])
    #expect(
      rates.table(title: "training").rows == [
        ["mlm_tv_all", "6.000", "64", "16.0"], ["vsm_tv_all", "3.000", "32", "8.0"],
      ])
    // Each table starts its losses anew.
    rates.add("mlm_tv_all", examples: 32, loss: 1)
    #expect(rates.table(title: "training").rows.map { $0[1] } == ["1.000", ""])
  }
}

struct PrintableTextTests {
  private let screen = Screen()

  /// Control characters in a file's name reach a terminal as escaped text.
  @Test func namesReachATerminalAsText() {
    let name = "a\u{1B}]0;title\u{7}b\u{9B}2Jc\u{202E}d\r"
    let shown = #"a\u{1B}]0;title\u{7}b\u{9B}2Jc\u{202E}d\u{D}"#
    #expect(name.printable == shown && "é\t日本\n👩‍👩‍👧".printable == "é\t日本\n👩‍👩‍👧")
    screen.console(terminal: false).print(name)
    #expect(screen.lines == [shown])
    RunLog(console: screen.console(terminal: false)).warning(name)
    #expect(screen.lines.last?.hasSuffix("warning: \(shown)") == true)
    var table = MetricsTable(headings: ["video"])
    table.rows = [["\(name)\nb"]]
    #expect(table.rendered().contains("│ \(shown) b │"))
  }
}
