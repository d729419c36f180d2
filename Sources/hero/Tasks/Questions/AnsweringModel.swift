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
      let choice = AnswerChoice(scores[input.answers[number]])
      return (choice.best, target >= 0 ? -choice.logProbabilities[target] : 0)
    }
  }

  public static func metricPrefix(split: String) -> String { "" }
}

/// What a model makes of the answers of one question.
struct AnswerChoice {
  /// The place of the answer with the highest score, the first of several.
  let best: Int
  /// Of each answer; the probabilities of a question's answers add up to 1.
  let logProbabilities: [Float]

  /// - Parameter scores: one an answer, at least one.
  init(_ scores: ArraySlice<Float>) {
    let place = scores.indices.reduce(scores.startIndex) { scores[$1] > scores[$0] ? $1 : $0 }
    let most = scores[place]
    let total = most + log(scores.reduce(0) { $0 + exp($1 - most) })
    best = place - scores.startIndex
    logProbabilities = scores.map { $0 - total }
  }
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
