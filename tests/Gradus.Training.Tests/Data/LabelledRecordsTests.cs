using Gradus.Models;
using Gradus.Text;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class LabelledRecordsTests
{
    private static readonly Tokenizer Characters = CharacterTokenizer.Train(["abcdefghijklmnopqrstuvwxyz ,.?"]);

    [Fact]
    public void ClassesAreNamesInOrderOrNumbers()
    {
        (LabelSet names, LabelledExample[] examples) = Read(new(TaskKind.Classes, "text", "", "label"), """{"text": "ab", "label": "good"}""", """{"text": "c", "label": "bad"}""");
        Assert.Equal(["bad", "good"], names.Names);
        Assert.Equal([1, 0], examples.Select(e => e.Classes![0]));
        (LabelSet numbers, examples) = Read(new(TaskKind.Classes, "text", "", "label"), """{"text": "ab", "label": 2}""", """{"text": "c", "label": "0"}""");
        Assert.Equal((3, ProblemType.SingleLabelClassification), (numbers.Count, numbers.Problem));
        Assert.Equal([2, 0], examples.Select(e => e.Classes![0]));
    }

    [Fact]
    public void LabelsAndNumbersAreRows()
    {
        (LabelSet labels, LabelledExample[] examples) = Read(new(TaskKind.Labels, "text", "", "labels"), """{"text": "ab", "labels": ["x", "z"]}""", """{"text": "c", "labels": ["y"]}""", """{"text": "c", "labels": []}""");
        Assert.Equal(ProblemType.MultiLabelClassification, labels.Problem);
        Assert.Equal([[1, 0, 1], [0, 1, 0], [0, 0, 0]], examples.Select(e => e.Numbers!));
        (labels, examples) = Read(new(TaskKind.Numbers, "text", "", "score"), """{"text": "ab", "score": [0.5, -1e2]}""", """{"text": "c", "score": ["1", 2]}""");
        Assert.Equal((2, ProblemType.Regression), (labels.Count, labels.Problem));
        Assert.Equal([[0.5f, -100], [1, 2]], examples.Select(e => e.Numbers!));
    }

    [Fact]
    public void AWordHasItsTagAtItsFirstToken()
    {
        (LabelSet labels, LabelledExample[] examples) = Read(new(TaskKind.Tags, "tokens", "", "tags"), """{"tokens": ["ada", "met", "b"], "tags": ["N", "V", "N"]}""");
        Assert.Equal(["N", "V"], labels.Names);
        // a d a ␣ m e t ␣ b: the space belongs to the word before it.
        Assert.Equal([0, -100, -100, -100, 1, -100, -100, -100, 0], examples[0].Classes!);
    }

    [Fact]
    public void AnswersAreTheTokensThatCoverThem()
    {
        LabelledFields fields = new(TaskKind.Answers, "question", "context", "answers");
        const string context = "ada met bob in rome.";
        (_, LabelledExample[] examples) = Read(
            fields,
            $$$"""{"question": "who?", "context": "{{{context}}}", "answers": {"text": ["bob", "ada"], "answer_start": [8, 0]}}""",
            $$$"""{"question": "where?", "context": "{{{context}}}", "answers": [{"text": "rome", "answer_start": 15}]}""",
            $$$"""{"question": "why?", "context": "{{{context}}}", "answers": []}""");
        Assert.Equal("bob", Characters.Decode(examples[0].Ids.AsSpan(examples[0].Span!.Value.First..(examples[0].Span!.Value.Last + 1))));
        Assert.Equal("rome", Characters.Decode(examples[1].Ids.AsSpan(examples[1].Span!.Value.First..(examples[1].Span!.Value.Last + 1))));
        Assert.Equal((0, 0), examples[2].Span);
    }

    [Fact]
    public void LongTextsAreCutAndAnswersBehindTheCutLeftOut()
    {
        LabelledRecords reader = new(new(TaskKind.Answers, "question", "context", "answers"), Characters, 12);
        DataRecord[] records = Records("""{"question": "who?", "context": "ada met bob", "answers": {"text": ["ada"], "answer_start": [0]}}""", """{"question": "who?", "context": "ada met bob", "answers": {"text": ["bob"], "answer_start": [8]}}""");
        LabelledExample example = Assert.Single(reader.Read(records, LabelSet.Default));
        Assert.Equal((12, 2, 1), (example.Ids.Length, reader.Cut, reader.LostAnswers));
    }

    [Theory]
    [InlineData(TaskKind.Classes, """{"text": "a"}""", "\"label\" is missing")]
    [InlineData(TaskKind.Labels, """{"text": "a", "label": "x"}""", "is not a list")]
    [InlineData(TaskKind.Numbers, """{"text": "a", "label": "NaN"}""", "no number")]
    [InlineData(TaskKind.Tags, """{"text": ["a", "b"], "label": ["x"]}""", "2 words")]
    [InlineData(TaskKind.Answers, """{"text": "a", "pair": "bc", "label": {"text": ["c"], "answer_start": [7]}}""", "does not stand at 7")]
    [InlineData(TaskKind.Answers, """{"text": "a", "pair": "bc", "label": {"text": ["c"]}}""", "no text and answer_start")]
    public void WhatIsWrongNamesTheRecord(TaskKind kind, string record, string message)
    {
        LabelledFields fields = new(kind, "text", kind == TaskKind.Answers ? "pair" : "", "label");
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Read(fields, record));
        Assert.StartsWith("file.jsonl: line 1: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    private static (LabelSet Labels, LabelledExample[] Examples) Read(LabelledFields fields, params string[] lines)
    {
        LabelledRecords reader = new(fields, Characters, 100);
        DataRecord[] records = Records(lines);
        LabelSet labels = reader.LabelsOf(records);
        return (labels, [.. reader.Read(records, labels)]);
    }

    private static DataRecord[] Records(params string[] lines) =>
        [.. lines.Select((line, i) => new DataRecord(System.Text.Json.JsonDocument.Parse(line).RootElement.Clone(), "file.jsonl", i + 1))];
}
