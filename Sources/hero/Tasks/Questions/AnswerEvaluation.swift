import Corpus
import Engine
import Formats
import Metrics
import Model

/// A model's answers, and their quality where the right ones are known.
public struct AnswerEvaluation: Equatable, Sendable {
  /// The answers in the order of the store: an answer's place, or 1 and 0 for true and false
  /// statements.
  public internal(set) var results = AnswerResults()
  /// The scores that chose the answers: one model's logits, or several models' mean probabilities.
  public internal(set) var scores: [[Float]] = []
  /// The number of questions whose answer is known.
  public internal(set) var known = 0
  /// The answered questions whose right answer is not known.
  public internal(set) var hidden: [QueryID] = []
  /// The number of ``known`` questions that the model answered correctly.
  public internal(set) var right = 0
  var totalLoss = 0.0

  /// Mean cross-entropy; nil where no answer is known.
  public var loss: Double? { known > 0 ? totalLoss / Double(known) : nil }
  /// The share of right answers, from 0 to 1; nil where no answer is known.
  public var accuracy: Double? { known > 0 ? Double(right) / Double(known) : nil }

  fileprivate mutating func add(_ id: String, _ judgement: Judgement, scores: [Float], target: Int) {
    results.rows.append(AnswerResults.Row(id: QueryID(id), answer: judgement.answer))
    self.scores.append(scores)
    guard judgement.logProbabilities.indices.contains(target) else {
      hidden.append(QueryID(id))
      return
    }
    known += 1
    if judgement.answer == target { right += 1 }
    totalLoss -= Double(judgement.logProbabilities[target])
  }

  /// The scores by entry, as the reference pickles them.
  public var logits: JSON {
    .object(
      JSONObject(
        zip(results.rows, scores).map { row, scores in
          (key: row.id.text, value: .array(scores.map { .double(Double($0)) }))
        }))
  }
}

/// Evaluation of the questions or statements of a split.
///
/// The reference's `validate_videoQA` and `validate_violin`.
public struct QuestionEvaluator<Model: AnsweringModel> {
  /// One of the models that answer together, with its loader.
  public typealias Member = (model: Model, loader: QuestionLoader<Model.Store>)

  private let members: [Member]
  private let batchSize: Int

  /// - Parameters:
  ///   - members: the models whose probabilities are averaged, at least one. Their loaders read the
  ///     same split of one store, for evaluation.
  ///   - batchSize: the number of entries of a pass.
  public init(_ members: [Member], batchSize: Int) {
    precondition(!members.isEmpty)
    self.members = members
    self.batchSize = batchSize
  }

  private var loader: QuestionLoader<Model.Store> { members[0].loader }

  /// The number of entries to answer.
  public var itemCount: Int { loader.itemCount }

  /// Answers everything; the ranks share the passes.
  ///
  /// An entry that any of the models cannot use has no answer, and no figure counts it.
  /// - Parameter progress: takes the number of entries done; what it throws ends the work.
  /// - Throws: `DataError` if more than half of the entries cannot be used.
  public func run(
    among communicator: any Communicator = SoleCommunicator.shared, progress: (Int) throws -> Void = { _ in }
  ) throws -> AnswerEvaluation {
    var answered = try logits(members[0], among: communicator) { try progress($0 / members.count) }
    for (number, member) in members.enumerated().dropFirst() {
      let others = try logits(member, among: communicator) {
        try progress((number * itemCount + $0) / members.count)
      }
      let found = Dictionary(others.map { (Name($0.id), $0.logits[0]) }) { first, _ in first }
      answered = try answered.compactMap { entry in
        guard let logits = found[Name(entry.id)] else { return nil }
        guard logits.count == entry.logits[0].count else {
          throw DataError(
            "has \(entry.logits[0].count) answers for one model and \(logits.count) for another",
            file: loader.store.path, place: "\(Model.Store.entryName) \(entry.id)",
            cure: "Evaluate runs of one task together")
        }
        var entry = entry
        entry.logits.append(logits)
        return entry
      }
    }
    var evaluation = AnswerEvaluation()
    for entry in answered {
      let judgement = Model.judge(entry.logits)
      evaluation.add(
        entry.id, judgement, scores: members.count > 1 ? judgement.probabilities : entry.logits[0],
        target: entry.target)
    }
    try loader.requireMost(
      used: evaluation.results.rows.count, "\(Model.Store.entryName)s", file: loader.store.path)
    return evaluation
  }

  private struct Entry: Parcelled {
    let id: String
    let target: Int
    /// The logits of each model.
    var logits: [[Float]]

    init(id: String, target: Int, logits: [Float]) {
      (self.id, self.target, self.logits) = (id, target, [logits])
    }

    func put(into parcel: inout Parcel) {
      parcel.put(id)
      parcel.put([Int32(target)] as [Int32])
      parcel.put(logits[0])
    }

    init(from parcel: inout Parcel) {
      self.init(id: parcel.takeText(), target: Int(parcel.take(Int32.self)[0]), logits: parcel.take())
    }
  }

  /// Computes one model's logits of every entry that it can read.
  private func logits(
    _ member: Member, among communicator: any Communicator, progress: (Int) throws -> Void
  ) throws -> [Entry] {
    let (model, loader) = member
    let (backend, shape) = (model.store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let entries = try communicator.divide(batches, progress: progress) { items in
      try loader.load(Array(items)).map { ids, batch in
        (ids: ids, targets: batch.targets, input: batch.prepared(for: shape, on: backend))
      }
    } work: { batch -> [Entry] in
      guard let (ids, targets, input) = batch else { return [] }
      return zip(zip(ids, targets), model.logits(.inference(backend), input)).map {
        Entry(id: $0.0, target: $0.1, logits: $1)
      }
    }
    return Array(entries.joined())
  }

  /// Returns loss and accuracy under the reference's names; empty where no answer is known.
  ///
  /// They are `valid/loss` and `valid/acc`; for VIOLIN's split `val`, `valid/val_loss` and
  /// `valid/val_acc`.
  public func metrics(_ evaluation: AnswerEvaluation, split: String) -> [(name: String, value: Double)] {
    guard let loss = evaluation.loss, let accuracy = evaluation.accuracy else { return [] }
    let prefix = "valid/" + Model.metricPrefix(split: split)
    return [(prefix + "loss", loss), (prefix + "acc", accuracy)]
  }
}
