import Corpus
import Engine
import Foundation
import Model

/// A model that answers questions about videos, or judges statements.
public protocol AnsweringModel: HeroModel {
  /// The store of the questions or statements.
  associatedtype Store: AskingStore
  /// Computes the losses under the reference's names.
  /// - Parameters:
  ///   - input: this rank's part of the batch; nil where it has none.
  ///   - share: each rank's counts; nil for a process that runs alone.
  ///   - spanWeight: the weight of the moments (`lw_st_ed`).
  func loss(_ tape: Tape, _ input: QuestionInput?, among share: BatchShare?, spanWeight: Float) -> [LossTerm]
  /// Computes the logits of every entry: one per answer, or one for a statement's truth.
  func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]]
  /// Judges an entry by the mean of the probabilities that one or several models' logits give.
  static func judge(_ logits: [[Float]]) -> Judgement
  /// Returns the prefix that the reference puts before `loss` and `acc` of a split.
  static func metricPrefix(split: String) -> String
}

extension QuestionModel: AnsweringModel {
  /// Questions with answers: TVQA, How2QA.
  public typealias Store = QAStore

  /// Computes one logit for each answer of each question, without a softmax.
  public func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]] {
    let scores = tape.backend.values(of: self(tape, input, withSpans: false).answers)
    return input.answers.ranges.map { Array(scores[$0]) }
  }

  /// Chooses the answer with the largest mean of the models' softmax probabilities.
  public static func judge(_ logits: [[Float]]) -> Judgement {
    let choice = AnswerChoice(logits)
    return Judgement(
      answer: choice.best, logProbabilities: choice.logProbabilities,
      probabilities: choice.logProbabilities.map { exp($0) })
  }

  /// Returns an empty prefix: the reference calls the figures of questions `loss` and `acc`.
  public static func metricPrefix(split: String) -> String { "" }
}

/// The judgement of an entry.
public struct Judgement: Equatable, Sendable {
  /// An answer's place, or a statement's truth (0, 1).
  public let answer: Int
  /// The log-probability of each answer, or of false and true.
  public let logProbabilities: [Float]
  /// The probability of each answer, or of a statement's being true.
  public let probabilities: [Float]
}

/// The choice among the answers of one question.
struct AnswerChoice {
  /// The place of the answer with the highest score; the first of equal ones.
  let best: Int
  /// The log-probability of each answer; the probabilities add up to 1.
  let logProbabilities: [Float]

  /// - Parameter scores: one score per answer, at least one.
  init(_ scores: ArraySlice<Float>) {
    let place = scores.indices.reduce(scores.startIndex) { scores[$1] > scores[$0] ? $1 : $0 }
    let most = scores[place]
    let total = most + log(scores.reduce(0) { $0 + exp($1 - most) })
    best = place - scores.startIndex
    logProbabilities = scores.map { $0 - total }
  }

  /// Chooses by the mean of several models' probabilities.
  /// - Parameter scores: each model's scores of the same answers.
  init(_ scores: [[Float]]) {
    let choices = scores.map { AnswerChoice($0[...]) }
    guard choices.count > 1 else {
      self = choices[0]
      return
    }
    let logarithms = choices[0].logProbabilities.indices.map { answer in
      logarithmOfMean(choices.map { $0.logProbabilities[answer] })
    }
    logProbabilities = logarithms
    best = logarithms.indices.reduce(0) { logarithms[$1] > logarithms[$0] ? $1 : $0 }
  }
}

/// Returns ln of the mean of e^x; for equal numbers, that number itself.
func logarithmOfMean(_ logarithms: [Float]) -> Float {
  let most = logarithms.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
  guard most > -.infinity else { return logarithms.first { $0.isNaN } ?? most }
  return most + log(logarithms.reduce(0) { $0 + exp($1 - most) } / Float(logarithms.count))
}

extension StatementModel: AnsweringModel {
  /// Statements with a label: VIOLIN.
  public typealias Store = ViolinStore

  /// Computes one logit per statement: x of σ(x), the probability that it is true.
  public func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]] {
    tape.backend.values(of: self(tape, input)).map { [$0] }
  }

  /// Judges a statement true if the mean of σ(x) is above 0.5.
  public static func judge(_ logits: [[Float]]) -> Judgement {
    let x = logits.map { $0[0] }
    // ln σ(x) = −ln(1 + e^−x), and ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|).
    func softplus(_ x: Float) -> Float { max(x, 0) + log1p(exp(-abs(x))) }
    let (right, wrong) = (
      logarithmOfMean(x.map { $0 - softplus($0) }), logarithmOfMean(x.map { -softplus($0) })
    )
    let isTrue = x.allSatisfy { $0 > 0 } || (x.contains { $0 > 0 } && right > wrong)
    return Judgement(answer: isTrue ? 1 : 0, logProbabilities: [wrong, right], probabilities: [exp(right)])
  }

  /// Returns `val_` or `test_`: the reference puts the split before the figures of statements.
  public static func metricPrefix(split: String) -> String { "\(split)_" }
}
