import FlyingFox
import Formats
import Search
import Tasks

/// The answers of models about a video: a moment's caption and the answer to a question.
extension SearchSite {
  /// Answers `/api/describe/N?start=…&end=…`.
  func describe(_ number: Int, _ parameters: RequestParameters) async throws -> HTTPResponse {
    guard let models, models.describes else {
      throw RefusedRequest(status: 404, reason: "no model that describes was given")
    }
    let span = try parameters.span()
    let duration = try searcher.index.video(number).duration
    return try await searching { _ in
      let caption = try Self.telling { try models.describe(number, span) }
      return [
        "caption": .string(caption ?? ""), "start": .double(span?.start ?? 0),
        "end": .double(span?.end ?? duration),
      ]
    }
  }

  /// Answers `/api/ask/N?q=…&a=…&a=…&start=…&end=…`.
  func ask(_ number: Int, _ parameters: RequestParameters) async throws -> HTTPResponse {
    guard let models, models.mostAnswers > 0 else {
      throw RefusedRequest(status: 404, reason: "no model that answers was given")
    }
    let question = try parameters.query()
    let span = try parameters.span()
    let answers = try parameters.texts("a", "an answer")
    guard (2...models.mostAnswers).contains(answers.count) else {
      throw RefusedRequest(
        status: 400, reason: "a question has 2 to \(models.mostAnswers) answers to choose from, each as \"a\""
      )
    }
    return try await searching { _ in
      let answered = try Self.telling { try models.answer(question, answers, video: number, span) }
      return [
        "question": .string(question),
        "answers": .array(
          zip(answers, answered?.probabilities ?? []).map { text, probability in
            ["text": .string(text), "probability": .double(Double(probability))]
          }),
        "chosen": answered.map { .int($0.chosen) } ?? .null,
        "moment": answered?.moment.map { ["start": .double($0.start), "end": .double($0.end)] } ?? .null,
      ]
    }
  }

  /// Runs a model's work and refuses the request if it fails.
  ///
  /// An error that names a file gives 404, any other 400.
  private static func telling<Result>(_ work: () throws -> Result) throws -> Result {
    do {
      return try work()
    } catch let error as DataError {
      throw RefusedRequest(status: error.file == nil ? 400 : 404, reason: error.problem)
    }
  }
}
