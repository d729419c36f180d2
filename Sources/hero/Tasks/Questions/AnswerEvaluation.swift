import Corpus
import Engine
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

  fileprivate mutating func add(_ id: String, answer: Int, target: Int, loss: Float) {
    results.rows.append(AnswerResults.Row(id: QueryID(id), answer: answer))
    guard target >= 0 else { return }
    known += 1
    if answer == target { right += 1 }
    totalLoss += Double(loss)
  }
}

/// Answers what is asked in a split (the reference's `validate_videoQA`, `validate_violin`).
public struct QuestionEvaluator<Model: AnsweringModel> {
  private let model: Model
  private let loader: QuestionLoader<Model.Store>
  private let batchSize: Int

  /// - Parameters:
  ///   - loader: of the split, made for evaluation.
  ///   - batchSize: entries a pass.
  public init(model: Model, loader: QuestionLoader<Model.Store>, batchSize: Int) {
    self.model = model
    self.loader = loader
    self.batchSize = batchSize
  }

  /// Entries that are answered.
  public var itemCount: Int { loader.itemCount }

  /// Answers everything; the passes are divided among the ranks. Entries that cannot be used have no answer, and no
  /// figure counts them.
  /// - Parameter progress: called with the number of entries done; what it throws ends the work.
  /// - Throws: `DataError` where more than half of the entries cannot be used.
  public func run(
    among communicator: any Communicator = SoleCommunicator.shared, progress: (Int) throws -> Void = { _ in }
  ) throws -> AnswerEvaluation {
    let (backend, shape) = (model.store.backend, model.configuration)
    let batches = ItemBatches(count: loader.itemCount, size: batchSize)
    let parcels = try communicator.divide(batches, progress: progress) { [loader] items in
      try loader.load(Array(items)).map { ids, batch in
        (ids: ids, targets: batch.targets, input: batch.prepared(for: shape, on: backend))
      }
    } work: { batch, parcel in
      guard let (ids, targets, input) = batch else { return }
      let answers = model.answers(.inference(backend), input, targets: targets)
      for ((id, target), (answer, loss)) in zip(zip(ids, targets), answers) {
        parcel.put(id)
        parcel.put([Int32(answer), Int32(target)])
        parcel.put([loss])
      }
    }
    var evaluation = AnswerEvaluation()
    for var parcel in parcels {
      while !parcel.isAtEnd {
        let (id, numbers) = (parcel.takeText(), parcel.take(Int32.self))
        evaluation.add(
          id, answer: Int(numbers[0]), target: Int(numbers[1]), loss: parcel.take(Float.self)[0])
      }
    }
    try loader.requireMost(
      used: evaluation.results.rows.count, "\(Model.Store.entryName)s", file: loader.store.path)
    return evaluation
  }

  /// Loss and accuracy by the reference's names, `valid/loss`, `valid/acc` (VIOLIN: `valid/val_loss` … for the split
  /// `val`); empty where no answer is known.
  public func metrics(_ evaluation: AnswerEvaluation, split: String) -> [(name: String, value: Double)] {
    guard let loss = evaluation.loss, let accuracy = evaluation.accuracy else { return [] }
    let prefix = "valid/" + Model.metricPrefix(split: split)
    return [(prefix + "loss", loss), (prefix + "acc", accuracy)]
  }
}
