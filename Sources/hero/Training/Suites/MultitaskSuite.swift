import Engine
import Formats
import Foundation
import Metrics
import Model
import Tasks

/// A trunk that several tasks share; each adds its heads (VALUE's `HeroForMultiTask`).
final class MultitaskModel: HeroModel {
  let trunk: ModelTrunk
  /// True as in VALUE: the head that scores answers also judges statements.
  static var joinsAnswers: Bool { true }

  init(sharing trunk: ModelTrunk) { self.trunk = trunk }
}

/// The suite of several tasks in one fine-tuning, as in VALUE: their sources are drawn by ratio.
struct MultitaskSuite: TaskSuite {
  typealias Model = MultitaskModel

  /// One task with its stores opened.
  struct OpenedPart {
    let part: RunPart
    let featureWidth: Int
    let check: (ModelConfiguration) throws -> Void
    let learning: (ModelTrunk) throws -> Learning
  }

  let run: RunContext
  private let parts: [(part: RunPart, suite: any TaskSuite)]

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .query, .decoder] }

  init(run: RunContext) throws {
    self.run = run
    parts = try run.configuration.parts().map { part in
      var context = run
      context.configuration = part.configuration
      context.isMeasuredOnly = part.ratio == 0
      return (part, try part.task.family.suite.init(run: context))
    }
  }

  func openForTraining() throws -> [OpenedPart] {
    run.tellUndrawn(parts.filter(\.suite.run.isMeasuredOnly).map(\.part.task.rawValue))
    return try parts.map { part, suite in try open(suite, part) }
  }

  private func open<Suite: TaskSuite>(_ suite: Suite, _ part: RunPart) throws -> OpenedPart {
    let videos = try suite.openForTraining()
    return OpenedPart(
      part: part, featureWidth: try suite.featureWidth(of: videos), check: suite.check,
      learning: { try suite.learning(Suite.Model(sharing: $0), videos) })
  }

  func featureWidth(of opened: [OpenedPart]) throws -> Int {
    let width = opened[0].featureWidth
    if let other = opened.first(where: { $0.featureWidth != width }) {
      throw DataError(
        "features of \(other.part.task.rawValue) are \(other.featureWidth) wide, those of "
          + "\(opened[0].part.task.rawValue) \(width)",
        place: "key \"train_datasets\"", cure: "Give features of the same networks to all tasks")
    }
    return width
  }

  func learning(_ model: MultitaskModel, _ opened: [OpenedPart]) throws -> Learning {
    let learned = try opened.map { part in
      try part.check(model.configuration)
      return (part: part.part, learning: try part.learning(model.trunk))
    }
    let name = configuration.task.rawValue
    let entries = learned.enumerated().flatMap { number, part in
      part.learning.mixture.entries.map {
        Mixture.Entry(
          $0.source, ratio: part.part.ratio, batchSize: part.part.batchSize, number: number)
      }
    }
    let mixture = try run.isTrained ? Mixture(name, entries) : Mixture(untrained: name, model.store)
    return Learning(mixture: mixture) { step, results in
      try validate(learned, step: step, results: results)
    }
  }

  /// Validates every task under its name, and adds the mean of their averages.
  ///
  /// The mean chooses the best checkpoint.
  private func validate(
    _ learned: [(part: RunPart, learning: Learning)], step: Int, results: String
  ) throws -> Validation {
    var result = Validation()
    var figures: [MetaAverage.Figure] = []
    for (part, learning) in learned {
      let name = part.task.rawValue
      let folder = "\(results)/\(name)"
      if communicator.isFirst {
        try DataError.locating(cure: "Check --output-dir and its permissions") {
          try OutputFolder.make(folder)
        }
      }
      let own = try learning.validate(step, folder)
      result.scalars += own.scalars.map { ("\(name)/\($0.name)", $0.value) }
      result.tables += own.tables.map { table in
        var table = table
        table.title = [name, table.title].compactMap { $0 }.joined(separator: ", ")
        return table
      }
      if let figure = own.figure { figures.append(figure) }
    }
    guard let mean = MetaAverage(figures).value else { return result }
    result.scalars.append(("valid_meta_ave", mean))
    result.headline = ("meta_average", mean, true)
    var table = MetricsTable(title: "all tasks, update \(step)", headings: ["", "meta-average"])
    table.add("\(figures.count) tasks", [mean])
    result.tables.append(table)
    return result
  }
}
