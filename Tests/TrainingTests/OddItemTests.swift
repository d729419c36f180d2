import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import TestSupport
import Testing

@testable import Training

/// Odd items of a split that are measured or described differently; each kind is reported by name.
@Suite struct OddItemTests {
  private static let annotations = SharedData.golden.path + "/corpus/ann"
  private static let tokenizer = SharedData.golden.path + "/corpus/tokenizer"

  /// Returns the lines of an annotation after changes to some rows.
  private func rows(
    _ name: String, _ change: (_ number: Int, _ row: inout JSON) -> Void
  ) throws -> (text: String, count: Int) {
    var lines: [String] = []
    try JSONLines.read(path: "\(Self.annotations)/\(name).jsonl") { _, row in
      var row = row
      change(lines.count, &row)
      lines.append(row.encoded())
    }
    return (lines.joined(separator: "\n"), lines.count)
  }

  @Test func aHiddenAnswerAmongOthers() throws {
    let run = try TinyRun()
    try run.train(.tvqa, run.options(.tvqa))
    let (text, count) = try rows("tvqa_val") { number, row in
      if number == 1 { row["answer_idx"] = nil }
    }
    let id = try #require(try JSON.parse(String(text.split(separator: "\n")[1]))["qid"]?.int)
    let store = run.folder.path("hidden.db")
    _ = try TextStoreBuilder(
      task: .tvqa, annotation: try run.folder.file("hidden.jsonl", text), output: store,
      tokenizer: Self.tokenizer
    ).build { _ in }
    let said = Said()
    let saved = try SavedRun(path: run.folder.path("run"), for: .evaluation, log: said.log)
    let outcome = try EvaluationRun([saved]).run(split: "val", store: store, backend: try CPUBackend())
    #expect(!outcome.report.scalars.isEmpty)
    let line = said.text.replacing("\n", with: " ")
    #expect(
      line.contains("the right answer of 1 of \(count) items, the first \(id), is not known"), "\(line)")
  }

  @Test func clipsWithoutTimesAndInMilliseconds() throws {
    let run = try TinyRun()
    try run.train(.tvc, run.options(.tvc))
    let saved = { log in
      try SavedRun(
        path: run.folder.path("run"), usual: .tvc,
        try RunArguments(["--tokenizer", Self.tokenizer]), for: .description, log: log)
    }
    func said(of text: String) throws -> String {
      let said = Said()
      _ = try saved(said.log).caption(
        try run.folder.file("clips.jsonl", text), to: run.folder.path("captions.jsonl"), overwrites: true,
        tokenizer: Self.tokenizer, DecodingOptions(), backend: try CPUBackend())
      return said.text.replacing("\n", with: " ")
    }
    let plain = try rows("tvc_val") { _, _ in }
    #expect(try !said(of: plain.text).contains("clips, the first"))
    let odd = try rows("tvc_val") { number, row in
      if number == 0 { row["ts"] = .null }
      if number == 1 { row["ts"] = nil }
      if number == 2 { row["ts"] = [0, 4170] }
    }
    let told = try said(of: odd.text)
    #expect(told.contains("2 of \(odd.count) clips, the first 539, have no times (\"ts\")"), "\(told)")
    #expect(
      told.contains("1 of \(odd.count) clips, the first 541, end after their video does (at 4170.0"),
      "\(told)")
  }

  /// Training on a store of a hidden split is refused before the first update.
  @Test(arguments: [RunTask.tvqa, .violin]) func trainingOnHiddenTruth(task: RunTask) throws {
    let run = try TinyRun()
    let (text, _) = try rows("\(task.rawValue)_train") { _, row in
      for key in ["answer_idx", "label"] { row[key] = nil }
    }
    let store = run.folder.path("hidden.db")
    _ = try TextStoreBuilder(
      task: try #require(task.annotation), annotation: try run.folder.file("hidden.jsonl", text),
      output: store, tokenizer: Self.tokenizer
    ).build { _ in }
    var options = try run.options(task)
    options["train_query_txt_db"] = .string(store)
    let error = #expect(throws: DataError.self) { try run.train(task, options) }
    #expect(error?.description.contains("the truth is hidden") == true, "\(String(describing: error))")
    #expect(error?.description.contains(store) == true)
    #expect(!FileManager.default.fileExists(atPath: run.folder.path("run")))
  }

  /// Makes a store of changed rows, and returns its path.
  private func store(
    of annotation: String, for task: TextStoreTask, in run: TinyRun,
    _ change: (_ number: Int, _ row: inout JSON) -> Void
  ) throws -> String {
    let store = run.folder.path("odd-\(annotation).db")
    _ = try TextStoreBuilder(
      task: task, annotation: try run.folder.file("odd.jsonl", rows(annotation, change).text),
      output: store, tokenizer: Self.tokenizer
    ).build { _ in }
    return store
  }

  /// Moments in milliseconds, which begin after their videos end, are reported before training.
  @Test(arguments: [("tvqa", "3000-4500"), ("tvr", JSON.array([3000, 4500]))])
  func momentsInMillisecondsAreTold(task: String, times: JSON) throws {
    let run = try TinyRun()
    let task = try #require(RunTask(rawValue: task))
    let late = try store(of: "\(task.rawValue)_train", for: try #require(task.annotation), in: run) {
      _, row in
      row["ts"] = times
    }
    var options = try run.options(task)
    _ = NoticeLog.shared
    try run.train(task, options)
    #expect(NoticeLog.shared.about(late).isEmpty)
    options["train_query_txt_db"] = .string(late)
    options["output_dir"] = .string(run.folder.path("late"))
    try run.train(task, options)
    let told = NoticeLog.shared.about(late)
    #expect(
      (2...10).contains(told.count)
        && told.allSatisfy { $0.contains("its moment begins at 3000.0 s, after the last of the") }, "\(told)")
  }

  /// A store of another tokenizer is refused before the first update, not query by query.
  @Test(arguments: [RunTask.tvr, .tvqa]) func aStoreOfAnotherTokenizer(task: RunTask) throws {
    let run = try TinyRun()
    let store = run.folder.path("other.db")
    try FileManager.default.copyItem(atPath: TinyRun.store("\(task.rawValue)_train"), toPath: store)
    let meta = try String(contentsOfFile: store + "/meta.json", encoding: .utf8)
    let other = meta.replacing("\"MASK\": 551", with: "\"MASK\": 50264")
    #expect(other != meta)
    try AtomicFile.write(other, to: store + "/meta.json")
    var options = try run.options(task)
    options["train_query_txt_db"] = .string(store)
    let error = #expect(throws: DataError.self) { try run.train(task, options) }
    #expect(
      error?.description.contains("has 50265 tokens at least, the model knows 552") == true,
      "\(String(describing: error))")
  }

  @Test func aStoreOfCaptionsThatIsGivenTwice() throws {
    let run = try TinyRun()
    var options = try run.options(.tvc)
    let store = try #require(options["train_db"]?.string)
    options["train_db"] = .array([.string(store), .string(store + "/")])
    let error = #expect(throws: DataError.self) { try run.train(.tvc, options) }
    #expect(error?.description.contains("key \"train_db\": names \(store)/ twice") == true)
  }

  /// A text longer than the model's positions is skipped and reported.
  @Test func aQuestionOfThousandsOfWords() throws {
    let run = try TinyRun()
    try run.train(.tvqa, run.options(.tvqa))
    var id: Int?
    let long = try store(of: "tvqa_val", for: .tvqa, in: run) { number, row in
      guard number == 1 else { return }
      id = row["qid"]?.int
      row["q"] = .string(String(repeating: "who carries the newspaper ", count: 500))
    }
    let said = Said()
    let saved = try SavedRun(path: run.folder.path("run"), for: .evaluation, log: said.log)
    let outcome = try EvaluationRun([saved]).run(split: "val", store: long, backend: try CPUBackend())
    #expect(!outcome.report.scalars.isEmpty)
    let line = said.text.replacing("\n", with: " ")
    #expect(
      line.contains("question \(try #require(id))") && line.contains("tokens, the model reads 514"), "\(line)"
    )
  }

  /// A query that names only its video counts in no figure of moments.
  @Test func aQueryWithoutAMoment() throws {
    let run = try TinyRun()
    try run.train(.tvr, run.options(.tvr))
    let odd = try store(of: "tvr_val", for: .tvr, in: run) { number, row in
      if number < 2 { row["ts"] = nil }
    }
    func evaluate(_ store: String) throws -> (outcome: EvaluationRun.Outcome, said: String) {
      let said = Said()
      let saved = try SavedRun(path: run.folder.path("run"), for: .evaluation, log: said.log)
      let outcome = try EvaluationRun([saved]).run(split: "val", store: store, backend: try CPUBackend())
      return (outcome, said.text.replacing("\n", with: " "))
    }
    let told = "2 of 15 queries, the first 165, have no moment; no figure of moments counts them"
    let said = try evaluate(odd).said
    #expect(said.contains(told), "\(said)")
    #expect(try !evaluate(TinyRun.store("tvr_val")).said.contains("no moment"))
  }

  /// Questions are refused where futures are expected, though both have answers to choose from.
  @Test func aStoreOfAnotherKindOfChoiceIsRefused() throws {
    let run = try TinyRun()
    var options = try run.options(.tvqa)
    options["task"] = "vlep"
    let vlep = try #require(RunTask(rawValue: "vlep"))
    let error = #expect(throws: DataError.self) { try run.train(vlep, options) }
    #expect(
      error?.problem == "the store was made for the task \"tvqa\", which has no rows of vlep",
      "\(String(describing: error))")
    #expect(!FileManager.default.fileExists(atPath: run.folder.path("run")))
  }
}
