using System.Text.Json;
using Gradus.Testing;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

/// <summary>What a record says is learned, or refused by name: nothing is left out in silence.</summary>
public sealed class SupervisedExamplesTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = ByteLevelBpeTrainer.Train(
        Corpus.FromTexts(["Hello there, how are you? I am fine, thank you.", "user assistant system tool Where is the cat? On the red hat. {\"name\": \"find\"}"]),
        new ByteLevelBpeOptions(320, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])).Tokenizer;

    private static readonly ChatTemplate ChatMl = ChatTemplate.Parse(ChatTemplate.ChatMl);

    // Names, not contents; what stands in them is not printed by every template.
    private static readonly HashSet<string> Names = new(StringComparer.Ordinal) { "role", "from", "id", "type", "tool_call_id", "name" };

    private readonly TestFolder _folder = new();

    public static TheoryData<string> Cases
    {
        get
        {
            string? folder = SharedFolder.Find("cases", "finetuning");
            return folder is null ? [] : [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .Where(f => Path.GetExtension(f) is ".jsonl" or ".ndjson" or ".csv" or ".tsv" or ".gz" or ".zst" or ".parquet" || (f.EndsWith(".json", StringComparison.Ordinal) && !File.ReadAllText(f).Contains("\"training\"", StringComparison.Ordinal) && File.ReadAllText(f).TrimStart().StartsWith('[')))
                .Select(f => Path.GetRelativePath(folder, f)).Order(StringComparer.Ordinal)];
        }
    }

    public void Dispose() => _folder.Dispose();

    [SharedTheory("cases", "finetuning")]
    [MemberData(nameof(Cases))]
    public void CasesAreLearnedWholeOrRefusedWithTheirLine(string name)
    {
        string path = SharedFolder.Find("cases", "finetuning", name)!;
        DataRecord[] records;
        ExampleReport report;
        try
        {
            records = [.. TextFiles.Records(path)];
            report = Read(path, limit: 4096);
        }
        catch (InvalidDataException e)
        {
            Assert.Matches($"^{System.Text.RegularExpressions.Regex.Escape(path)}: line [0-9]+: .{{20,}}$", e.Message);
            return;
        }
        Assert.Equal(records.Length, report.Examples.Count + report.WithoutAnswer.Count + report.TooLong.Count);
        string all = string.Join('\n', report.Examples.Select(e => Tokenizer.Decode(e.Ids, skipSpecialTokens: false)));
        string learned = string.Join('\n', report.Examples.Select(e => Tokenizer.Decode([.. e.Ids.Where((_, i) => e.IsTarget(i))], skipSpecialTokens: false)));
        if (report.Examples.Count == records.Length)
            Assert.All(records.SelectMany(r => Leaves(r.Json)), leaf => Assert.Contains(leaf, all, StringComparison.Ordinal));
        Assert.All(records.SelectMany(r => NotLearned(r.Json)), text => Assert.DoesNotContain(text, learned, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"prompt": "Q", "completion": "A", "history": [["a", "b"]]}""", "history")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "input": "more"}""", "input")]
    [InlineData("""{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "images": ["a.png"]}""", "images")]
    [InlineData("""{"prompt": "Q", "completion": "A", "rejected": "B"}""", "rejected")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "loss_mask": 0}]}""", "loss_mask")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "weight": 0.5}]}""", "weight 0.5")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q", "weight": 1}, {"role": "assistant", "content": "A"}]}""", "only the assistant's")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, {"role": "assistant", "content": "A"}]}""", "image_url")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "text": "A"}]}""", "the assistant turn has no content; it has role, text")]
    [InlineData("""{"messages": [{"role": "alien", "content": "Q"}]}""", "the role \"alien\" is unknown")]
    [InlineData("""{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "reasoning_content": "R"}]}""", "reasoning_content")]
    [InlineData("""{"system": "S", "messages": [{"role": "system", "content": "T"}, {"role": "user", "content": "Q"}]}""", "keep one of them")]
    [InlineData("""{"prompt": "Q", "completion": "A", "tools": "no JSON"}""", "tools must be a list")]
    [InlineData("""{"question": "Q", "answer": "A"}""", "columns")]
    public void WhatCannotBeLearnedIsRefusedByName(string record, string problem)
    {
        string path = _folder.Write("a.jsonl", "{\"prompt\": \"Q\", \"completion\": \"A\"}\n" + record);
        string message = Assert.Throws<InvalidDataException>(() => Read(path)).Message;
        Assert.StartsWith($"{path}: line 2: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    // Every record says the same as the first.
    [Theory]
    [InlineData("system: S|user: Q|assistant: A",
        """{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}""",
        """{"system": "S", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}""",
        """{"system": "S", "prompt": "Q", "completion": "A", "messages": null, "tools": "[]"}""",
        """{"instruction": "Q", "output": "A", "system": "S", "history": []}""",
        """{"source": "Q", "target": "A", "system": "S"}""",
        """{"system": "S", "messages": [], "prompt": "Q", "completion": {"role": "gpt", "content": {"type": "text", "text": "A"}}}""",
        """{"prompt": [{"role": "developer", "content": "S"}, {"role": "user", "content": "Q"}], "completion": [{"role": "Assistant", "content": "A"}]}""",
        """{"messages": "[{\"role\": \"system\", \"content\": \"S\"}, {\"role\": \"Human\", \"content\": [{\"type\": \"text\", \"text\": \"Q\"}]}, {\"role\": \"model\", \"content\": [{\"text\": \"A\"}]}]", "prompt": "Q"}""")]
    [InlineData("user: Hi|assistant: Ho|user: 42|assistant: 0",
        """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": 42}, {"role": "assistant", "content": 0}]}""",
        """{"instruction": 42, "input": "", "output": 0, "history": [["Hi", "Ho"]]}""")]
    [InlineData("user: Q|assistant: {\"city\": \"Rome\"}",
        """{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": {"city": "Rome"}}]}""",
        """{"prompt": "Q", "completion": {"city": "Rome"}}""")]
    public void FormatsSayTheSame(string expected, params string[] records)
    {
        Assert.All(records, record => Assert.Equal(expected, string.Join('|', Assert.Single(Conversations.Read([_folder.Write("a.jsonl", record)])).Messages.Select(m => $"{m.Role}: {m.Text}"))));
    }

    [Fact]
    public void CallsOfToolsAreLearnedAsTheTemplateWritesThem()
    {
        const string Tools = """[{"type": "function", "function": {"name": "find", "parameters": {}}}]""";
        string[] records =
        [
            $$"""{"tools": {{Tools}}, "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": {"what": "cat"} } }]}, {"role": "tool", "tool_call_id": "1", "content": "O"}, {"role": "assistant", "content": "A"}]}""",
            $$"""{"tools": {{JsonSerializer.Serialize(Tools)}}, "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "function_call": {"name": "find", "arguments": "{\"what\": \"cat\"}"} }, {"role": "function", "name": "find", "content": "O"}, {"role": "assistant", "content": "A"}]}""",
            """{"functions": [{"name": "find", "parameters": {}}], "conversations": [{"from": "human", "value": "Q"}, {"from": "function_call", "value": "{\"name\": \"find\", \"arguments\": {\"what\": \"cat\"}}"}, {"from": "observation", "value": "O"}, {"from": "gpt", "value": "A"}]}""",
        ];
        Example[] examples = [.. records.Select(r => Assert.Single(Read(_folder.Write("a.jsonl", r)).Examples))];
        Assert.All(examples, e => Assert.Equal(examples[0].Ids, e.Ids));
        Assert.All(examples, e => Assert.Equal(examples[0].Counts, e.Counts));
        Assert.Contains("<tool_call>\n{\"name\": \"find\", \"arguments\": {\"what\": \"cat\"}}\n</tool_call><|im_end|>A<|im_end|>", Learned(examples[0]), StringComparison.Ordinal);
    }

    [Fact]
    public void EmptyAnswersAreNotLearnedAndCounted()
    {
        ExampleReport report = Read(_folder.Write("a.jsonl", """
            {"prompt": "Q", "completion": ""}
            {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": " "}, {"role": "user", "content": "R"}, {"role": "assistant", "content": "A"}]}
            """));
        Assert.Equal("A<|im_end|>", Learned(Assert.Single(report.Examples)));
        Assert.Equal("a.jsonl: line 1", report.WithoutAnswer.ToString());
        Assert.Equal("a.jsonl: line 2", report.EmptyAnswers.ToString());
    }

    [Theory]
    [InlineData("\"weight\": 0", "\"weight\": 1")]
    [InlineData("\"train\": false", "\"train\": true")]
    [InlineData("\"train\": false", "\"name\": \"\"")]
    public void TurnsWithoutWeightAreReadAndNotLearned(string not, string yes)
    {
        string record = $$"""{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho", {{not}}}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", {{yes}}}]}""";
        Assert.Equal("A<|im_end|>", Learned(Assert.Single(Read(_folder.Write("a.jsonl", record)).Examples)));
    }

    [Fact]
    public void DocumentsAreLearnedAsTheyAreAndCutAtTheLimit()
    {
        ExampleReport report = Read(_folder.Write("a.jsonl", "{\"text\": \"Hello there, how are you? I am fine\", \"id\": 1}"), limit: 8);
        Assert.All(report.Examples, e => Assert.Null(e.Counts));
        Assert.True(report.Examples.Count > 1);
        Assert.Equal("Hello there, how are you? I am fine<|endoftext|>", Tokenizer.Decode([report.Examples[0].Ids[0], .. report.Examples.SelectMany(e => e.Ids[1..])], skipSpecialTokens: false));
    }

    [Fact]
    public void TooLongRecordsAreLeftOutCutOrSplitAndNamed()
    {
        string words = string.Concat(Enumerable.Repeat("Where is the cat? ", 20));
        string path = _folder.Write("a.jsonl", $$"""
            {"prompt": "Q", "completion": "A"}
            {"prompt": "{{words}}", "completion": "On the red hat."}
            {"prompt": "Q", "completion": "{{words}}"}
            {"messages": [{"role": "user", "content": "Q"}]}
            """);
        ExampleReport dropped = Read(path, 40);
        Assert.Single(dropped.Examples);
        Assert.Equal("a.jsonl: lines 2, 3", dropped.TooLong.ToString());
        Assert.Equal("a.jsonl: line 4", dropped.WithoutAnswer.ToString());
        Assert.Contains(dropped.Notes(), n => n.StartsWith("2 longer than 40 tokens left out (a.jsonl: lines 2, 3)", StringComparison.Ordinal));

        ExampleReport kept = Read(path, 40, TooLong.KeepAnswer);
        Assert.Equal(2, kept.Examples.Count);
        Assert.Equal(40, kept.Examples[1].Ids.Length);
        Assert.Equal("On the red hat.<|im_end|>", Learned(kept.Examples[1]));
        Assert.Equal("a.jsonl: line 2", kept.Shortened.ToString());
        Assert.Equal("a.jsonl: line 3", kept.TooLong.ToString());

        ExampleReport split = Read(path, 40, TooLong.Split);
        Assert.All(split.Examples, e => Assert.InRange(e.Ids.Length, 2, 40));
        Assert.Contains(words.TrimEnd(), string.Concat(split.Examples.Select(Learned)), StringComparison.Ordinal);
    }

    [Fact]
    public void AnAnswerThatTheTemplateDoesNotEndIsEndedByTheEndOfText()
    {
        ChatTemplate alpaca = ChatTemplate.Parse("{%- for m in messages -%}{{ '### Instruction:\n' + m.content + '\n\n' if m.role == 'user' else '### Response:\n' + m.content + '\n\n' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '### Response:\n' }}{%- endif -%}");
        string path = _folder.Write("a.jsonl", "{\"prompt\": \"Q\", \"completion\": \"A\"}");
        ExampleReport report = new SupervisedExamples(new ChatEncoder(Tokenizer, alpaca), new ExampleLimits(100, 100)).Read([path]);
        Assert.Equal("A<|endoftext|>", Learned(Assert.Single(report.Examples)));
        Assert.Contains(report.Notes(), n => n.Contains("ends an answer with no end token; <|endoftext|> is learned", StringComparison.Ordinal));
        Assert.Empty(Read(path).Notes());

        ChatTemplate outside = ChatTemplate.Parse("{%- for m in messages -%}{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{{ '<|im_end|>\n' }}{% else %}{{ m.content }}{% endif %}{%- endfor -%}");
        report = new SupervisedExamples(new ChatEncoder(Tokenizer, outside), new ExampleLimits(100, 100)).Read([path]);
        Assert.Equal("A<|im_end|>", Learned(Assert.Single(report.Examples)));
        Assert.True(report.EndOutsideMarks);
    }

    [SharedFact("cases", "finetuning")]
    public void AnswersEndWithAnEndTokenUnderEveryTemplateOfTheCases()
    {
        string[] templates = Directory.GetFiles(SharedFolder.Find("cases", "finetuning")!, "*.jinja", SearchOption.AllDirectories);
        Assert.NotEmpty(templates);
        string path = _folder.Write("a.jsonl", "{\"prompt\": \"Where is the cat?\", \"completion\": \"On the red hat.\"}");
        Assert.All(templates, file =>
        {
            ExampleReport report = new SupervisedExamples(new ChatEncoder(Tokenizer, ChatTemplate.Parse(File.ReadAllText(file))), new ExampleLimits(500, 500)).Read([path]);
            string learned = Learned(Assert.Single(report.Examples));
            Assert.StartsWith("On the red hat.", learned, StringComparison.Ordinal);
            Assert.Matches(@"<\|(im_end|endoftext)\|>$", learned);
            Assert.Equal(learned.EndsWith("<|endoftext|>", StringComparison.Ordinal), report.Notes().Any());
        });
    }

    [Fact]
    public void WhatATemplateLeavesOutIsRefused()
    {
        ChatTemplate answersOnly = ChatTemplate.Parse("{%- for m in messages if m.role in ['user', 'assistant'] -%}{{ m.role + ': ' + m.content + '<|im_end|>' }}{%- endfor -%}");
        string Wrong(string record) => Assert.Throws<InvalidDataException>(() =>
            new SupervisedExamples(new ChatEncoder(Tokenizer, answersOnly), new ExampleLimits(100, 100)).Read([_folder.Write("a.jsonl", record)])).Message;
        Assert.Contains("line 1: the model's chat template leaves out message 1 (system)", Wrong("{\"system\": \"S\", \"prompt\": \"Q\", \"completion\": \"A\"}"), StringComparison.Ordinal);
        Assert.Contains("line 1: the record has tools, but the model's chat template has no place", Wrong("{\"tools\": [{\"name\": \"t\"}], \"prompt\": \"Q\", \"completion\": \"A\"}"), StringComparison.Ordinal);
    }

    [Fact]
    public void AModelWithoutATemplateGetsOneWhoseAnswersEnd()
    {
        Tokenizer plain = CharacterTokenizer.Train(["Assistant: user QAUser\n"], ["<s>", "</s>"]);
        plain = new Tokenizer(plain.Parts with { SpecialTokens = plain.Parts.SpecialTokens with { Bos = "<s>", Eos = "</s>" } });
        Tokenizer with = DefaultChatTemplate.Ensure(plain);
        ChatTemplate template = ChatTemplate.Parse(with.Parts.ChatTemplate!);
        ExampleReport report = new SupervisedExamples(new ChatEncoder(with, template), new ExampleLimits(100, 100)).Read([_folder.Write("a.jsonl", "{\"prompt\": \"Q\", \"completion\": \"A\"}")]);
        Assert.Equal("<s>User: Q\nAssistant: A</s>\n", with.Decode(Assert.Single(report.Examples).Ids, skipSpecialTokens: false));
        Assert.Equal(" A</s>", with.Decode([.. report.Examples[0].Ids.Where((_, i) => report.Examples[0].IsTarget(i))], skipSpecialTokens: false));
        Assert.Empty(report.Notes());
        Assert.Equal(ChatTemplate.ChatMl, DefaultChatTemplate.For(Tokenizer));
    }

    private static ExampleReport Read(string path, int limit = 1000, TooLong tooLong = TooLong.Drop) =>
        new SupervisedExamples(new ChatEncoder(Tokenizer, ChatMl), new ExampleLimits(limit, 10_000, tooLong)).Read([path]);

    private static string Learned(Example example) => Tokenizer.Decode([.. example.Ids.Where((_, i) => example.IsTarget(i))], skipSpecialTokens: false);

    private static IEnumerable<string> Leaves(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().Where(p => !Names.Contains(p.Name) && p.Name is not ("weight" or "train")).SelectMany(p => Leaves(p.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Leaves),
        JsonValueKind.String => Inner(element.GetString()!),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => [element.GetRawText()],
        _ => [],
    };

    // JSON in a text is written anew.
    private static IEnumerable<string> Inner(string text)
    {
        if (text.Length == 0 || text[0] is not ('{' or '['))
            return [text.Trim()];
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return [.. Leaves(document.RootElement)];
        }
        catch (JsonException)
        {
            return [text];
        }
    }

    // What the cases mark as not to be learned.
    private static IEnumerable<string> NotLearned(JsonElement record)
    {
        foreach (string list in new[] { "messages", "conversations" })
        {
            if (!record.TryGetProperty(list, out JsonElement turns) || turns.ValueKind != JsonValueKind.Array)
                continue;
            foreach (JsonElement turn in turns.EnumerateArray())
            {
                bool off = (turn.TryGetProperty("weight", out JsonElement w) && w.GetRawText() == "0") || (turn.TryGetProperty("train", out JsonElement t) && t.ValueKind == JsonValueKind.False);
                if (off && (turn.TryGetProperty("content", out JsonElement text) || turn.TryGetProperty("value", out text)))
                    yield return text.GetString()!;
            }
        }
    }
}
