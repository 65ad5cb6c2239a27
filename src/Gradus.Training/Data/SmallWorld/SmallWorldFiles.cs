using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gradus.Text.Chat;

namespace Gradus.Training.Data.SmallWorld;

/// <summary>How many records each part of one kind gets.</summary>
/// <param name="Train">Records for training, 0 or more.</param>
/// <param name="Validation">Records for validation, 0 or more.</param>
/// <param name="Test">Records for the final test, 0 or more.</param>
public sealed record SplitSizes(int Train, int Validation, int Test)
{
    /// <summary>The size of a part.</summary>
    public int this[Split split] => split switch { Split.Train => Train, Split.Validation => Validation, _ => Test };
}

/// <summary>How many records <see cref="SmallWorldFiles"/> writes.</summary>
/// <param name="Stories">Sizes of the parts of the stories.</param>
/// <param name="Dialogues">Sizes of the parts of the dialogues.</param>
/// <param name="Instructions">Sizes of the parts of the instructions.</param>
/// <param name="Conversations">Sizes of the parts of the conversations.</param>
public sealed record SmallWorldSizes(SplitSizes Stories, SplitSizes Dialogues, SplitSizes Instructions, SplitSizes Conversations)
{
    /// <summary>20,000 stories, 6,000 dialogues, 6,000 instructions and 4,000 conversations for training, and some hundreds of each held out.</summary>
    public static SmallWorldSizes Default { get; } = new(new(20_000, 500, 500), new(6_000, 300, 300), new(6_000, 300, 300), new(4_000, 300, 300));
}

/// <summary>Writes the data set of a <see cref="SmallWorldGenerator"/> as JSON lines.</summary>
public static class SmallWorldFiles
{
    // Apostrophes and quotation marks stay readable; the files are not for HTML.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Writes, for each part train, validation and test: <c>stories.PART.jsonl</c> ({text}), <c>dialogues.PART.jsonl</c>
    /// ({dialogue, summary}), <c>instructions.PART.jsonl</c> ({instruction, input, output}), <c>conversations.PART.jsonl</c>
    /// ({messages}: role and content of each) and <c>pretrain.PART.jsonl</c> ({text}: the stories and the dialogues without their summaries, evenly mixed); and a <c>README.md</c>.
    /// Files are UTF-8 with '\n', the same bytes for the same seed and sizes; those of these names are overwritten.
    /// </summary>
    /// <param name="folder">The folder, made where it is absent.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="sizes">How many records of each kind.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static void Write(string folder, ulong seed, SmallWorldSizes sizes)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(sizes);
        Directory.CreateDirectory(folder);
        var generator = new SmallWorldGenerator(seed);
        foreach (Split split in Enum.GetValues<Split>())
        {
            string[] stories = [.. generator.Stories(split, sizes.Stories[split])];
            DialogueSummary[] dialogues = [.. generator.Dialogues(split, sizes.Dialogues[split])];
            IEnumerable<string> documents = Mixed(stories, [.. dialogues.Select(d => d.Dialogue)]);
            WriteLines(folder, "stories", split, stories, WriteText);
            WriteLines(folder, "dialogues", split, dialogues, (json, d) =>
            {
                json.WriteString("dialogue"u8, d.Dialogue);
                json.WriteString("summary"u8, d.Summary);
            });
            WriteLines(folder, "pretrain", split, documents, WriteText);
            WriteLines(folder, "instructions", split, generator.Instructions(split, sizes.Instructions[split]), (json, e) =>
            {
                json.WriteString("instruction"u8, e.Instruction);
                json.WriteString("input"u8, e.Input);
                json.WriteString("output"u8, e.Output);
            });
            WriteLines(folder, "conversations", split, generator.Conversations(split, sizes.Conversations[split]), WriteMessages);
        }
        File.WriteAllText(Path.Combine(folder, "README.md"), Readme(seed, sizes), new UTF8Encoding(false));
    }

    private static void WriteText(Utf8JsonWriter json, string text) => json.WriteString("text"u8, text);

    private static void WriteMessages(Utf8JsonWriter json, IReadOnlyList<ChatMessage> messages)
    {
        json.WriteStartArray("messages"u8);
        foreach (ChatMessage message in messages)
        {
            json.WriteStartObject();
            json.WriteString("role"u8, message.Role);
            json.WriteString("content"u8, message.Text);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteLines<T>(string folder, string kind, Split split, IEnumerable<T> records, Action<Utf8JsonWriter, T> writeFields)
    {
        string part = split switch { Split.Train => "train", Split.Validation => "validation", _ => "test" };
        using FileStream file = File.Create(Path.Combine(folder, $"{kind}.{part}.jsonl"));
        using var json = new Utf8JsonWriter(file, Options);
        foreach (T record in records)
        {
            json.WriteStartObject();
            writeFields(json, record);
            json.WriteEndObject();
            json.Flush();
            file.WriteByte((byte)'\n');
            json.Reset();
        }
    }

    // The shorter list is spread evenly over the longer one: pre-training sees both kinds all the time.
    private static IEnumerable<string> Mixed(string[] first, string[] second)
    {
        for (int i = 0, j = 0; i < first.Length || j < second.Length;)
            yield return j * (long)first.Length <= i * (long)second.Length && j < second.Length || i == first.Length ? second[j++] : first[i++];
    }

    private static string Readme(ulong seed, SmallWorldSizes sizes)
    {
        static string Row(string files, string fields, SplitSizes s) => $"| `{files}` | {fields} | {s.Train} | {s.Validation} | {s.Test} |\n";
        SplitSizes both = new(
            sizes.Stories.Train + sizes.Dialogues.Train, sizes.Stories.Validation + sizes.Dialogues.Validation, sizes.Stories.Test + sizes.Dialogues.Test);
        return
            "# A small world\n\n" +
            "Small stories, two-person dialogues with their summaries, instructions about stories, and conversations with the model, in simple English.\n\n" +
            "## Origin\n" +
            $"Made by Gradus's `SmallWorldGenerator` with seed {seed}; the words and sentences were written by this project. No text of others, no real people.\n\n" +
            "## Licence\nMIT, like Gradus.\n\n" +
            "## Files\nJSON lines, UTF-8.\n\n" +
            "| Files | Fields | train | validation | test |\n|---|---|---|---|---|\n" +
            Row("stories.*.jsonl", "text", sizes.Stories) +
            Row("dialogues.*.jsonl", "dialogue, summary", sizes.Dialogues) +
            Row("instructions.*.jsonl", "instruction, input, output", sizes.Instructions) +
            Row("conversations.*.jsonl", "messages (role and content of each)", sizes.Conversations) +
            Row("pretrain.*.jsonl", "text (the stories and the dialogues, without summaries)", both) +
            "\n## The parts\n" +
            "A combination of facts is in one part only. Stories: schema, hero, thing and place. Dialogues: plot, things, places, days, hours and reasons, " +
            "whatever the names and colors. Conversations: the question about the world. A plot and its facts have one summary; every plot has summary words that the stories and the dialogues never use.\n";
    }
}
