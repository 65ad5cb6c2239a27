using System.Globalization;
using System.Text.Json;

namespace Gradus.Applications.Retrieval.Measures;

/// <summary>A question with what is known about where its answer stands.</summary>
/// <param name="Id">Its name in judgements.</param>
/// <param name="Question">The question.</param>
/// <param name="Grades">Judged documents with their grades; empty where there are none.</param>
/// <param name="Keywords">Words that the chunks found should hold; empty where there are none.</param>
/// <param name="Category">Its kind, or null.</param>
public sealed record RetrievalQuestion(string Id, string Question, IReadOnlyDictionary<string, int> Grades, IReadOnlyList<string> Keywords, string? Category = null)
{
    /// <summary>
    /// Reads questions from JSON lines: <c>question</c> (or <c>text</c> or <c>query</c>), and <c>documents</c> (names, or names with grades) or <c>keywords</c>; <c>id</c>
    /// and <c>category</c> where there are some.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="judgements">A file of judgements by lines: query, document, grade; or in TREC's form with a 0 between query and document. Null: none.</param>
    /// <exception cref="InvalidDataException">A line is no question, or a question has nothing to measure it by.</exception>
    public static IReadOnlyList<RetrievalQuestion> Read(string path, string? judgements = null)
    {
        Dictionary<string, Dictionary<string, int>> judged = judgements is null ? [] : ReadJudgements(judgements);
        List<RetrievalQuestion> questions = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            RetrievalQuestion question = Parse(line, number, path);
            if (judged.TryGetValue(question.Id, out Dictionary<string, int>? grades))
                question = question with { Grades = grades };
            if (judgements is not null && question.Grades.Count == 0)
                continue;
            if (question.Grades.Count == 0 && question.Keywords.Count == 0)
                throw new InvalidDataException($"{path}, line {number}: nothing says what should be found; give `documents` or `keywords`, or a file of judgements (--judgements).");
            questions.Add(question);
        }
        return questions.Count > 0 ? questions : throw new InvalidDataException($"{path}: no question{(judgements is null ? "" : $" that {judgements} judges")}.");
    }

    /// <summary>Reads judgements: query → document → grade. A first line without a number for its grade is a heading.</summary>
    /// <exception cref="InvalidDataException">A line has neither three nor four fields.</exception>
    public static Dictionary<string, Dictionary<string, int>> ReadJudgements(string path)
    {
        Dictionary<string, Dictionary<string, int>> judged = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            string[] fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            number++;
            if (fields.Length == 0)
                continue;
            if (fields.Length is not (3 or 4) || !int.TryParse(fields[^1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int grade))
            {
                if (number == 1)
                    continue;
                throw new InvalidDataException($"{path}, line {number}: a judgement is query, document and a whole number.");
            }
            if (!judged.TryGetValue(fields[0], out Dictionary<string, int>? grades))
                judged[fields[0]] = grades = [];
            grades[fields[^2]] = grade;
        }
        return judged;
    }

    private static RetrievalQuestion Parse(string line, int number, string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            JsonElement root = json.RootElement;
            string? text = new[] { "question", "text", "query" }.Select(k => root.TryGetProperty(k, out JsonElement v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null).FirstOrDefault(t => t is not null);
            if (text is null)
                throw new InvalidDataException($"{path}, line {number}: no `question`.");
            return new RetrievalQuestion(
                root.TryGetProperty("id", out JsonElement id) ? id.ToString() : number.ToString(CultureInfo.InvariantCulture),
                text, ReadGrades(root), Strings(root, "keywords"),
                root.TryGetProperty("category", out JsonElement category) && category.ValueKind == JsonValueKind.String ? category.GetString() : null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{path}, line {number}: not a question in JSON: {e.Message.Split('\n')[0]}");
        }
    }

    private static Dictionary<string, int> ReadGrades(JsonElement root)
    {
        if (!root.TryGetProperty("documents", out JsonElement documents))
            return [];
        return documents.ValueKind == JsonValueKind.Object
            ? documents.EnumerateObject().ToDictionary(d => d.Name, d => d.Value.GetInt32())
            : Strings(root, "documents").Distinct().ToDictionary(d => d, _ => 1);
    }

    private static string[] Strings(JsonElement root, string key) => root.TryGetProperty(key, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(e => e.ToString())] : [];
}
