/// ROUGE-L: the longest common subsequence with the references (Lin, 2004), weighted towards recall
/// as in coco-caption.
enum RougeL {
  private static let beta = 1.2

  /// Returns the score of a prediction, from 0 to 1.
  ///
  /// Single spaces separate tokens, so an empty caption is one empty token.
  static func score(prediction: String, references: [String]) -> Double {
    var numbers: [[UInt8]: Int] = [:]
    let predicted = words(of: prediction, &numbers)
    var precision = 0.0
    var recall = 0.0
    for reference in references {
      let expected = words(of: reference, &numbers)
      let common = Double(longestCommonSubsequence(expected, predicted))
      precision = max(precision, common / Double(predicted.count))
      recall = max(recall, common / Double(expected.count))
    }
    guard precision != 0, recall != 0 else { return 0 }
    return (1 + beta * beta) * precision * recall / (recall + beta * beta * precision)
  }

  /// Returns the words between single spaces, numbered by their bytes.
  private static func words(of sentence: String, _ numbers: inout [[UInt8]: Int]) -> [Int] {
    sentence.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { word in
      let word = Array(word)
      if let known = numbers[word] { return known }
      numbers[word] = numbers.count
      return numbers.count - 1
    }
  }

  private static func longestCommonSubsequence(_ a: [Int], _ b: [Int]) -> Int {
    var lengths = [Int](repeating: 0, count: b.count + 1)
    for word in a {
      var diagonal = 0
      for (column, other) in b.enumerated() {
        let above = lengths[column + 1]
        lengths[column + 1] = word == other ? diagonal + 1 : max(above, lengths[column])
        diagonal = above
      }
    }
    return lengths[b.count]
  }
}
