import Formats

/// A finder of matches between a prediction and a reference: equal words, equal stems, shared
/// synonym sets, paraphrases.
struct MeteorMatcher {
  private let resources: MeteorResources?
  private let paraphrases: ParaphraseTable
  private var stems: [Name: String] = [:]
  private var synonymSets: [Name: Set<Int32>] = [:]

  /// The number of matchers; the first two need no data.
  var count: Int { resources == nil ? 2 : 4 }

  init(resources: MeteorResources?, paraphrases: ParaphraseTable) {
    self.resources = resources
    self.paraphrases = paraphrases
  }

  /// Returns all matches, matcher by matcher.
  mutating func matches(prediction: [String], reference: [String]) -> MeteorMatches {
    var matches = MeteorMatches(predictionLength: prediction.count, referenceLength: reference.count)
    // Compare bytes: Swift takes some strings for equal that Java does not.
    var numbers: [[UInt8]: Int] = [:]
    func number(_ word: String) -> Int {
      let word = Array(word.utf8)
      if let known = numbers[word] { return known }
      numbers[word] = numbers.count
      return numbers.count - 1
    }
    let words = (prediction: prediction.map(number), reference: reference.map(number))
    pair(words.prediction, words.reference, matcher: 0, into: &matches) { $0 == $1 }
    // In equal sentences only equal words match, which saves the search.
    guard words.prediction != words.reference else { return matches }
    let predictionStems = prediction.map { number(stem($0)) }
    let referenceStems = reference.map { number(stem($0)) }
    pair(predictionStems, referenceStems, matcher: 1, into: &matches, unlessEqual: words) { $0 == $1 }
    guard let synonyms = resources?.synonyms else { return matches }
    let predictionSets = prediction.map { sets(of: $0, synonyms) }
    let referenceSets = reference.map { sets(of: $0, synonyms) }
    pair(predictionSets, referenceSets, matcher: 2, into: &matches, unlessEqual: words) {
      !$0.isDisjoint(with: $1)
    }
    addParaphrases(prediction, reference, matcher: 3, into: &matches)
    return matches
  }

  private func pair<Key>(
    _ prediction: [Key], _ reference: [Key], matcher: Int, into matches: inout MeteorMatches,
    unlessEqual words: (prediction: [Int], reference: [Int])? = nil, _ agree: (Key, Key) -> Bool
  ) {
    for j in reference.indices {
      for i in prediction.indices where agree(prediction[i], reference[j]) {
        if let words, words.prediction[i] == words.reference[j] { continue }
        matches.add(MeteorMatch(matcher: matcher, prediction: i..<(i + 1), reference: j..<(j + 1)))
      }
    }
  }

  /// Adds paraphrases in the prediction of phrases of the reference, then the reverse.
  private func addParaphrases(
    _ prediction: [String], _ reference: [String], matcher: Int, into matches: inout MeteorMatches
  ) {
    let prediction = prediction.map(paraphrases.number)
    let reference = reference.map(paraphrases.number)
    for (phrase, paraphrase) in occurrences(from: reference, in: prediction) {
      matches.add(MeteorMatch(matcher: matcher, prediction: paraphrase, reference: phrase))
    }
    for (phrase, paraphrase) in occurrences(from: prediction, in: reference) {
      matches.add(MeteorMatch(matcher: matcher, prediction: phrase, reference: paraphrase))
    }
  }

  private func occurrences(
    from sentence: [Int], in other: [Int]
  ) -> [(phrase: Range<Int>, paraphrase: Range<Int>)] {
    sentence.indices.flatMap { start in
      paraphrases.paraphrases(in: sentence, from: start).flatMap { length, paraphrase in
        other.indices.filter { other[$0...].starts(with: paraphrase) }.map {
          (start..<(start + length), $0..<($0 + paraphrase.count))
        }
      }
    }
  }

  private mutating func stem(_ word: String) -> String {
    if let known = stems[word] { return known }
    let stem = EnglishStemmer.stem(word)
    stems[word] = stem
    return stem
  }

  private mutating func sets(of word: String, _ synonyms: MeteorSynonyms) -> Set<Int32> {
    if let known = synonymSets[word] { return known }
    let sets = synonyms.sets(of: word)
    synonymSets[word] = sets
    return sets
  }
}
