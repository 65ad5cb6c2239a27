using System.Text.Json.Nodes;
using Gradus.Evaluation.Tasks.Harness;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// Answers that something else has written: records with <c>text</c> (or <c>texts</c>, where a task wants several) and what they answer: the
/// <c>prompt</c>, or the <c>id</c> of the task's document, with <c>task</c> where the file has answers to several.
/// </summary>
public sealed class PredictionsFile
{
    private readonly Dictionary<string, IReadOnlyList<string>> _answers = new(StringComparer.Ordinal);
    private readonly string _path;

    /// <summary>Takes the records of a file.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="records">Its records.</param>
    /// <exception cref="InvalidDataException">A record has no text, or does not say what it answers; one line that names it.</exception>
    public PredictionsFile(string path, IEnumerable<JsonObject> records)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(records);
        _path = path;
        int number = 0;
        foreach (JsonObject record in records)
        {
            number++;
            IReadOnlyList<string>? texts = record["texts"] is JsonArray several ? [.. several.Select(t => t?.ToString() ?? "")]
                : (record["text"] ?? record["prediction"]) is JsonValue one && one.TryGetValue(out string? answer) ? [answer] : null;
            if (texts is null || texts.Count == 0)
                throw new InvalidDataException($"{path}: record {number}: has no text, and no texts.");
            string key = record["prompt"] is JsonValue prompt && prompt.TryGetValue(out string? text) ? OfPrompt(text)
                : JsonNumber.Of(record["id"]) is { } id ? OfId(record["task"]?.ToString(), (long)id)
                : throw new InvalidDataException($"{path}: record {number}: does not say what it answers; give its prompt, or the id of the document.");
            if (!_answers.TryAdd(key, texts) && !_answers[key].SequenceEqual(texts))
                throw new InvalidDataException($"{path}: record {number}: an earlier record answers the same with another text.");
        }
    }

    /// <summary>The answers to a task's examples, as a model gives them.</summary>
    /// <param name="task">The task's name.</param>
    /// <param name="examples">Its examples.</param>
    /// <exception cref="InvalidDataException">An example has no answer, or too few; one line that names it.</exception>
    /// <exception cref="NotSupportedException">The task asks for likelihoods, which only a model can give.</exception>
    public IEvalModel For(string task, IReadOnlyList<EvalExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        Dictionary<EvalRequest, TextResponse> responses = [];
        foreach (EvalExample example in examples)
        {
            if (example.Requests is not [GenerateRequest request])
                throw new NotSupportedException($"{_path}: holds texts, but the task {task} asks for likelihoods, which only a model can give.");
            string prompt = request.Messages is { } messages ? string.Join("\n\n", messages.Select(m => m.Text)) : request.Context;
            IReadOnlyList<string> texts = _answers.GetValueOrDefault(OfId(task, example.Id)) ?? _answers.GetValueOrDefault(OfId(null, example.Id)) ?? _answers.GetValueOrDefault(OfPrompt(prompt))
                ?? throw new InvalidDataException($"{_path}: has no answer to document {example.Id} of the task {task}: \"{(prompt.Length > 60 ? "…" + prompt[^60..] : prompt)}\".");
            if (texts.Count < request.Repeats)
                throw new InvalidDataException($"{_path}: has {texts.Count} of the {request.Repeats} answers that the task {task} wants to document {example.Id}.");
            responses[request] = new TextResponse([.. texts.Take(request.Repeats).Select(t => request.Settings.Cut(t))]);
        }
        return new Answers(_path, responses);
    }

    private static string OfPrompt(string prompt) => $"prompt\n{prompt}";

    private static string OfId(string? task, long id) => $"id\n{task}\n{id}";

    private sealed class Answers(string name, Dictionary<EvalRequest, TextResponse> responses) : IEvalModel
    {
        public string Name => name;

        public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
        {
            for (int i = 0; i < requests.Count; i++)
                answered(i, responses[requests[i]]);
        }
    }
}
