import Corpus
import Engine
import Foundation
import Model

/// A model that answers what is asked about videos.
public protocol AnsweringModel: AnyObject {
  associatedtype Store: AskingStore
  init(_ configuration: ModelConfiguration, backend: any Backend)
  var store: ParameterStore { get }
  /// The losses by the reference's names.
  /// - Parameter spanWeight: `lw_st_ed`, of the moments.
  func losses(_ tape: Tape, _ batch: QuestionBatch, spanWeight: Float) -> [LossPart]
  /// Every entry's answer, its place or a statement's truth (0, 1), and the loss where the target is known.
  func answers(_ tape: Tape, _ batch: QuestionBatch) -> [(answer: Int, loss: Float)]
  /// What the reference puts before `loss` and `acc` of a split.
  static func metricPrefix(split: String) -> String
}

extension QuestionModel: AnsweringModel {
  public typealias Store = QAStore

  public func losses(_ tape: Tape, _ batch: QuestionBatch, spanWeight: Float) -> [LossPart] {
    let loss = loss(tape, batch, spanWeight: spanWeight)
    return [LossPart("qa", loss.answer), LossPart("st_ed", loss.span, weight: spanWeight)]
  }

  public func answers(_ tape: Tape, _ batch: QuestionBatch) -> [(answer: Int, loss: Float)] {
    let scores = tape.backend.values(of: self(tape, batch, withSpans: false).answers)
    let answers = Segments(lengths: batch.pairsPerQuestion)
    return batch.targets.enumerated().map { number, target in
      let own = scores[answers[number]]
      // The first of the highest.
      let best = own.indices.reduce(own.startIndex) { own[$1] > own[$0] ? $1 : $0 }
      let most = own[best]
      let total = most + log(own.reduce(0) { $0 + exp($1 - most) })
      return (best - own.startIndex, target >= 0 ? total - own[own.startIndex + target] : 0)
    }
  }

  public static func metricPrefix(split: String) -> String { "" }
}

extension StatementModel: AnsweringModel {
  public typealias Store = ViolinStore

  public func losses(_ tape: Tape, _ batch: QuestionBatch, spanWeight: Float) -> [LossPart] {
    [LossPart("loss", loss(tape, batch))]
  }

  public func answers(_ tape: Tape, _ batch: QuestionBatch) -> [(answer: Int, loss: Float)] {
    zip(tape.backend.values(of: self(tape, batch)), batch.targets).map { logit, target in
      // σ(x) > 0.5
      (logit > 0 ? 1 : 0, binaryCrossEntropy(logit: logit, target: target).loss)
    }
  }

  public static func metricPrefix(split: String) -> String { "\(split)_" }
}
