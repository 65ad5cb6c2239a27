using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>Turns the records of data sets into the documents that tasks ask about: a question each, an article each.</summary>
internal static class RecordShapes
{
    private static readonly PythonRegex Heading = new(@"^ = [^=].*[^=] = $");

    /// <summary>A document for every question about a paragraph of XQuAD, in its own form (<c>answers</c> a list, as in SQuAD) or with a single
    /// <c>answer</c>; those of one paragraph are not independent.</summary>
    public static IEnumerable<JsonObject> XquadQuestions(JsonObject record)
    {
        foreach (JsonNode? question in List(record, "qas"))
        {
            yield return new JsonObject
            {
                ["context"] = Text(record, "context"),
                ["question"] = question!["question"]!.ToString(),
                ["answers"] = new JsonObject { ["text"] = new JsonArray(Answer(question).ToString()) },
                ["cluster"] = Text(record, "context"),
            };
        }
    }

    private static JsonNode Answer(JsonNode question) => question["answer"] ?? (question["answers"] is JsonArray { Count: > 0 } answers ? answers[0]!["text"] : null)
        ?? throw new InvalidDataException("a question has neither \"answer\" nor \"answers\" with a text.");

    /// <summary>A document for every query about a meeting of QMSum, with the part of the transcript that answers it.</summary>
    public static IEnumerable<JsonObject> QmsumQueries(JsonObject record)
    {
        JsonArray turns = List(record, "meeting_transcripts");
        foreach (JsonNode? query in List(record, "specific_query_list"))
        {
            StringBuilder text = new();
            foreach (JsonNode? span in (JsonArray)query!["relevant_text_span"]!)
            {
                int from = Place(span![0]!), to = Math.Min(Place(span[1]!), turns.Count - 1);
                for (int t = from; t <= to; t++)
                    text.Append(CultureInfo.InvariantCulture, $"{turns[t]!["speaker"]}: {turns[t]!["content"]}\n");
            }
            yield return new JsonObject { ["transcript"] = text.ToString(), ["query"] = query["query"]!.ToString(), ["answer"] = query["answer"]!.ToString(), ["cluster"] = turns[0]?["content"]?.ToString() ?? "" };
        }

        static int Place(JsonNode node) => int.Parse(node.ToString(), CultureInfo.InvariantCulture);
    }

    /// <summary>A document for every article of a file of WikiText.</summary>
    public static IEnumerable<JsonObject> WikiTextArticles(JsonObject record)
    {
        StringBuilder article = new();
        string[] lines = Text(record, "text").Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (article.Length > 0 && Heading.IsMatch(lines[i]) && (i == 0 || string.IsNullOrWhiteSpace(lines[i - 1])))
            {
                yield return new JsonObject { ["page"] = article.ToString() };
                article.Clear();
            }
            if (article.Length > 0 || !string.IsNullOrWhiteSpace(lines[i]))
                article.Append(lines[i]).Append('\n');
        }
        if (article.ToString().Trim().Length > 0)
            yield return new JsonObject { ["page"] = article.ToString() };
    }

    /// <summary>A document for every paragraph of eight words or more: its text up to its last whole word, which is to be guessed.</summary>
    public static IEnumerable<JsonObject> LastWords(JsonObject record)
    {
        foreach (string paragraph in Text(record, "text").Split('\n'))
        {
            string text = paragraph.Trim().TrimEnd('.', '!', '?', '"', '”', '\'', ')', ' ');
            int last = text.LastIndexOf(' ');
            if (last > 0 && text.Count(c => c == ' ') >= 7 && text[(last + 1)..].All(char.IsLetter))
                yield return new JsonObject { ["text"] = text };
        }
    }

    /// <summary>The fields of a sentence of Winogender: occupation, participant, gender and label stand in its id, the pronoun in the sentence.</summary>
    public static IEnumerable<JsonObject> Winogender(JsonObject record)
    {
        string[] id = Text(record, "sentid").Split('.');
        string sentence = Text(record, "sentence");
        string pronoun = sentence.Split(' ', '.', ',', ';', '?').FirstOrDefault(w => w.ToLowerInvariant() is "he" or "she" or "they" or "his" or "her" or "their" or "him" or "them")
            ?? throw new InvalidDataException("the sentence has no pronoun.");
        if (id.Length < 4)
            throw new InvalidDataException($"the id {record["sentid"]} has not the form occupation.participant.answer.gender.");
        // The answer is the occupation (0) or the participant (1); "someone" stands for a participant without a role.
        yield return new JsonObject
        {
            ["sentid"] = record["sentid"]!.ToString(),
            ["sentence"] = sentence,
            ["occupation"] = id[0],
            ["participant"] = id[1],
            ["label"] = int.Parse(id[2], CultureInfo.InvariantCulture),
            ["gender"] = id[3],
            ["pronoun"] = pronoun,
            ["cluster"] = $"{id[0]}.{id[1]}",
        };
    }

    /// <summary>The solved examples of a file of chain-of-thought prompts of BIG-bench Hard.</summary>
    public static IReadOnlyList<JsonObject> BigBenchHardSamples(IReadOnlyList<JsonObject> file)
    {
        const string Question = "Q: ", Answer = "\nA: ", Thinks = "Let's think step by step.";
        List<JsonObject> samples = [];
        foreach (string part in Text(file[0], "text").Split("\n" + Question).Skip(1))
        {
            int at = part.IndexOf(Answer, StringComparison.Ordinal);
            if (at < 0)
                throw new InvalidDataException("an example of the prompts has no answer.");
            samples.Add(new JsonObject { ["input"] = part[..at].Trim(), ["target"] = Without(part[(at + Answer.Length)..].Trim(), Thinks) });
        }
        return samples;

        static string Without(string text, string start) => text.StartsWith(start, StringComparison.Ordinal) ? text[start.Length..].Trim() : text;
    }

    private static string Text(JsonObject record, string field) => record[field] is JsonValue value && value.TryGetValue(out string? text)
        ? text
        : throw new InvalidDataException($"the field \"{field}\" is missing or not text.");

    private static JsonArray List(JsonObject record, string field) => record[field] as JsonArray ?? throw new InvalidDataException($"the field \"{field}\" is missing or no list.");
}
