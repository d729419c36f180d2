import Corpus
import Engine
import Foundation
import Model

/// A model that answers what is asked about videos.
public protocol AnsweringModel: HeroModel {
  associatedtype Store: AskingStore
  /// The losses by the reference's names.
  /// - Parameters:
  ///   - input: nil where this rank has none of the batch.
  ///   - share: what each rank has of it; nil for a process that is alone.
  ///   - spanWeight: `lw_st_ed`, of the moments.
  func loss(_ tape: Tape, _ input: QuestionInput?, among share: BatchShare?, spanWeight: Float) -> [LossTerm]
  /// Every entry's answer, its place or a statement's truth (0, 1), and the loss where the target is known.
  /// - Parameter targets: the batch's.
  func answers(_ tape: Tape, _ input: QuestionInput, targets: [Int]) -> [(answer: Int, loss: Float)]
  /// What the reference puts before `loss` and `acc` of a split.
  static func metricPrefix(split: String) -> String
}

extension QuestionModel: AnsweringModel {
  public typealias Store = QAStore

  public func answers(
    _ tape: Tape, _ input: QuestionInput, targets: [Int]
  ) -> [(answer: Int, loss: Float)] {
    let scores = tape.backend.values(of: self(tape, input, withSpans: false).answers)
    return targets.enumerated().map { number, target in
      let own = scores[input.answers[number]]
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

  public func answers(
    _ tape: Tape, _ input: QuestionInput, targets: [Int]
  ) -> [(answer: Int, loss: Float)] {
    let logits = self(tape, input)
    // σ(x) > 0.5
    let answers = tape.backend.values(of: logits).map { $0 > 0 ? 1 : 0 }
    let losses = tape.binaryCrossEntropy(logits, targets: input.targets, weight: 1)
    return Array(zip(answers, tape.backend.values(of: losses)))
  }

  public static func metricPrefix(split: String) -> String { "\(split)_" }
}
