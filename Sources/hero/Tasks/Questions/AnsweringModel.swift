import Corpus
import Engine
import Foundation
import Model

/// A model that answers questions about videos, or judges statements.
public protocol AnsweringModel: HeroModel {
  /// Where the questions or statements come from.
  associatedtype Store: AskingStore
  /// The losses by the reference's names.
  /// - Parameters:
  ///   - input: nil where this rank has none of the batch.
  ///   - share: what each rank has of it; nil for a process that is alone.
  ///   - spanWeight: `lw_st_ed`, of the moments.
  func loss(_ tape: Tape, _ input: QuestionInput?, among share: BatchShare?, spanWeight: Float) -> [LossTerm]
  /// The logits of every entry: of its answers, or of a statement's being true.
  func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]]
  /// What one or several models' logits of an entry come to: by the mean of their probabilities.
  static func judge(_ logits: [[Float]]) -> Judgement
  /// What the reference puts before `loss` and `acc` of a split.
  static func metricPrefix(split: String) -> String
}

extension QuestionModel: AnsweringModel {
  /// Questions with answers: TVQA, How2QA.
  public typealias Store = QAStore

  /// One logit for each answer of each question, without a softmax.
  public func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]] {
    let scores = tape.backend.values(of: self(tape, input, withSpans: false).answers)
    return input.answers.ranges.map { Array(scores[$0]) }
  }

  /// The softmax of each model's logits, their mean, and its largest entry.
  public static func judge(_ logits: [[Float]]) -> Judgement {
    let choice = AnswerChoice(logits)
    return Judgement(
      answer: choice.best, logProbabilities: choice.logProbabilities,
      probabilities: choice.logProbabilities.map { exp($0) })
  }

  /// Empty: the reference names the figures of questions `loss` and `acc`.
  public static func metricPrefix(split: String) -> String { "" }
}

/// What was made of an entry.
public struct Judgement: Equatable, Sendable {
  /// An answer's place, or a statement's truth (0, 1).
  public let answer: Int
  /// Of each of these.
  public let logProbabilities: [Float]
  /// Of each answer, or of a statement's being true.
  public let probabilities: [Float]
}

/// What models make of the answers of one question.
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

  /// The choice by the mean of several models' probabilities.
  /// - Parameter scores: each model's, of as many answers.
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

/// ln of the mean of e^x; of equal numbers that number itself.
func logarithmOfMean(_ logarithms: [Float]) -> Float {
  let most = logarithms.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
  guard most > -.infinity else { return logarithms.first { $0.isNaN } ?? most }
  return most + log(logarithms.reduce(0) { $0 + exp($1 - most) } / Float(logarithms.count))
}

extension StatementModel: AnsweringModel {
  /// Statements with a label: VIOLIN.
  public typealias Store = ViolinStore

  /// One logit a statement: x of σ(x), the probability that it is true.
  public func logits(_ tape: Tape, _ input: QuestionInput) -> [[Float]] {
    tape.backend.values(of: self(tape, input)).map { [$0] }
  }

  /// True where the mean of σ(x) is above 0.5.
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

  /// `val_`, `test_`: the reference puts the split before the figures of statements.
  public static func metricPrefix(split: String) -> String { "\(split)_" }
}
