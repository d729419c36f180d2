import Engine
import Foundation
import Metrics
import Model

/// What a model answered, and how well where the answers are known.
public struct AnswerEvaluation: Equatable, Sendable {
  /// The answers, in the order of the store: an answer's place, or 1 and 0 for true and false statements.
  public internal(set) var results = AnswerResults()
  /// Questions whose answer is known.
  public internal(set) var known = 0
  public internal(set) var right = 0
  var totalLoss = 0.0

  /// Mean cross-entropy; nil where no answer is known.
  public var loss: Double? { known > 0 ? totalLoss / Double(known) : nil }
  /// Share of right answers, from 0 to 1; nil where no answer is known.
  public var accuracy: Double? { known > 0 ? Double(right) / Double(known) : nil }

  /// By the reference's names, `valid/loss` and `valid/acc` (VIOLIN: `valid/val_loss` …); empty where no answer is
  /// known.
  fileprivate func metrics(_ prefix: String) -> [(name: String, value: Double)] {
    guard let loss, let accuracy else { return [] }
    return [("valid/\(prefix)loss", loss), ("valid/\(prefix)acc", accuracy)]
  }

  fileprivate mutating func add(_ id: String, answer: Int, target: Int, loss: Float) {
    results.rows.append(AnswerResults.Row(id: QueryID(id), answer: answer))
    guard target >= 0 else { return }
    known += 1
    if answer == target { right += 1 }
    totalLoss += Double(loss)
  }
}

/// Answers the questions of a split (the reference's `validate_videoQA`).
public struct QuestionEvaluator {
  private let model: QuestionModel
  private let loader: QuestionLoader
  private let batchSize: Int

  /// - Parameters:
  ///   - loader: of the split, leaving no question out for its length.
  ///   - batchSize: questions a pass.
  public init(model: QuestionModel, loader: QuestionLoader, batchSize: Int) {
    self.model = model
    self.loader = loader
    self.batchSize = batchSize
  }

  /// - Parameter progress: called with the number of questions done.
  public func run(progress: (Int) -> Void = { _ in }) throws -> AnswerEvaluation {
    var evaluation = AnswerEvaluation()
    try forEachBatch(loader, batchSize: batchSize) { ids, batch in
      let tape = Tape.inference(model.store.backend)
      let scores = tape.backend.values(of: model(tape, batch, withSpans: false).answers)
      let answers = Segments(lengths: batch.pairsPerQuestion)
      for (number, id) in ids.enumerated() {
        let (own, target) = (scores[answers[number]], batch.targets[number])
        // The first of the highest.
        let best = own.indices.reduce(own.startIndex) { own[$1] > own[$0] ? $1 : $0 }
        let most = own[best]
        let total = most + log(own.reduce(0) { $0 + exp($1 - most) })
        evaluation.add(
          id, answer: best - own.startIndex, target: target,
          loss: target >= 0 ? total - own[own.startIndex + target] : 0)
      }
      progress(evaluation.results.rows.count)
    }
    return evaluation
  }

  /// Loss and accuracy by the reference's names: `valid/loss`, `valid/acc`.
  public func metrics(_ evaluation: AnswerEvaluation) -> [(name: String, value: Double)] {
    evaluation.metrics("")
  }
}

/// Judges the statements of a split (the reference's `validate_violin`).
public struct StatementEvaluator {
  private let model: StatementModel
  private let loader: StatementLoader
  private let batchSize: Int

  /// - Parameters:
  ///   - loader: of the split, leaving no statement out for its length, and not paired.
  ///   - batchSize: statements a pass.
  public init(model: StatementModel, loader: StatementLoader, batchSize: Int) {
    precondition(!loader.isPaired, "statements are judged one by one")
    self.model = model
    self.loader = loader
    self.batchSize = batchSize
  }

  /// - Parameter progress: called with the number of statements done.
  public func run(progress: (Int) -> Void = { _ in }) throws -> AnswerEvaluation {
    var evaluation = AnswerEvaluation()
    try forEachBatch(loader, batchSize: batchSize) { ids, batch in
      let tape = Tape.inference(model.store.backend)
      let logits = tape.backend.values(of: model(tape, batch))
      for (number, id) in ids.enumerated() {
        let (logit, target) = (logits[number], batch.targets[number])
        // σ(x) > 0.5
        evaluation.add(
          id, answer: logit > 0 ? 1 : 0, target: target,
          loss: binaryCrossEntropy(logit: logit, target: target).loss)
      }
      progress(evaluation.results.rows.count)
    }
    return evaluation
  }

  /// Loss and accuracy by the reference's names: `valid/val_loss`, `valid/val_acc` for the split `val`.
  public func metrics(_ evaluation: AnswerEvaluation, split: String) -> [(name: String, value: Double)] {
    evaluation.metrics("\(split)_")
  }
}

/// All questions of a loader in their order, once; batches are made ahead on another thread.
private func forEachBatch<Loader: QuestionBatchLoader>(
  _ loader: Loader, batchSize: Int, _ body: (_ ids: [String], QuestionBatch) throws -> Void
) throws {
  let queue = BatchQueue(items: loader.itemCount, batchSize: batchSize) { try loader.load(Array($0)) }
  while let next = try queue.next() {
    if let (ids, batch) = next { try body(ids, batch) }
  }
}
