using System.Text.Json;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

/// <summary>Preferences in the shapes in which they are published.</summary>
public sealed class PreferenceRecordsTests
{
    [Theory]
    // Prompt and answers as texts.
    [InlineData("""{"prompt": "Hi", "chosen": "Good day.", "rejected": "What?"}""", "user: Hi", "Good day.", "What?")]
    // The answers repeat the prompt, as UltraFeedback's binarized records do.
    [InlineData("""{"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "What?"}], "score_chosen": 9.5}""", "user: Hi", "Good day.", "What?")]
    // The prompt is what both begin with.
    [InlineData("""{"chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "What?"}]}""", "user: Hi", "Good day.", "What?")]
    // Anthropic's dialogues.
    [InlineData("""{"chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: How are you?\n\nAssistant: Good day.", "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: How are you?\n\nAssistant: What?"}""", "user: Hi|assistant: Yes?|user: How are you?", "Good day.", "What?")]
    // A conversation and two turns, as LLaMA-Factory's.
    [InlineData("""{"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Good day."}, "rejected": {"from": "gpt", "value": "What?"}}""", "user: Hi", "Good day.", "What?")]
    // A system message beside the question, as Orca's.
    [InlineData("""{"system": "Be kind.", "question": "Hi", "chosen": "Good day.", "rejected": "What?"}""", "system: Be kind.|user: Hi", "Good day.", "What?")]
    // Several answers with scores.
    [InlineData("""{"prompt": "Hi", "answers": ["Hm.", "Good day.", "What?"], "scores": [2, 3, 1]}""", "user: Hi", "Good day.", "What?")]
    [InlineData("""{"instruction": "Hi", "completions": [{"response": "What?", "overall_score": 1.5}, {"response": "Good day.", "overall_score": 8}]}""", "user: Hi", "Good day.", "What?")]
    public void PairsAreRead(string json, string prompt, string chosen, string rejected)
    {
        PreferencePair pair = PreferenceRecords.Pair(Record(json))!;
        Assert.Equal(prompt, Shown(pair.Prompt));
        Assert.Equal($"assistant: {chosen}", Shown(pair.Chosen));
        Assert.Equal($"assistant: {rejected}", Shown(pair.Rejected));
    }

    [Fact]
    public void EqualScoresPreferNothing() =>
        Assert.Null(PreferenceRecords.Pair(Record("""{"prompt": "Hi", "answers": ["a", "b"], "scores": [1, 1]}""")));

    [Theory]
    [InlineData("""{"prompt": "Hi", "completion": "Good day.", "label": true}""", "user: Hi", true)]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}], "label": false}""", "user: Hi", false)]
    [InlineData("""{"prompt": "Hi", "completion": "Good day.", "label": 1}""", "user: Hi", true)]
    public void LabelsAreRead(string json, string prompt, bool good)
    {
        LabelledAnswer answer = Assert.Single(PreferenceRecords.Labelled(Record(json)));
        Assert.Equal(prompt, Shown(answer.Prompt));
        Assert.Equal("assistant: Good day.", Shown(answer.Answer));
        Assert.Equal(good, answer.IsGood);
    }

    [Fact]
    public void APairIsAGoodAndABadAnswer() => Assert.Equal(
        [true, false], PreferenceRecords.Labelled(Record("""{"prompt": "Hi", "chosen": "Good day.", "rejected": "What?"}""")).Select(a => a.IsGood));

    [Theory]
    [InlineData("""{"prompt": "2+2", "answer": "4"}""", "user: 2+2", "4")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Good day."}]}""", "user: Hi", "Good day.")]
    [InlineData("""{"instruction": "Say", "input": "hi", "output": "hi!"}""", "user: Say\n\nhi", "hi!")]
    [InlineData("""{"prompt": "Hi", "chosen": "Good day.", "rejected": "What?"}""", "user: Hi", null)]
    public void PromptsAreRead(string json, string prompt, string? expected)
    {
        AnswerPrompt read = PreferenceRecords.Prompt(Record(json));
        Assert.Equal(prompt, Shown(read.Prompt));
        Assert.Equal(expected, read.Expected);
    }

    [Theory]
    [InlineData("""{"text": "Hi"}""", "needs chosen and rejected")]
    [InlineData("""{"chosen": "a", "rejected": "b"}""", "have no prompt")]
    [InlineData("""{"prompt": "Hi", "chosen": "", "rejected": "b"}""", "does not end with an answer")]
    [InlineData("""{"prompt": "Hi", "answers": ["a"], "scores": [1, 2]}""", "same length")]
    [InlineData("""{"prompt": "Hi", "completions": [{"response": "a"}, {"response": "b"}]}""", "no overall_score")]
    public void WhatIsWrongIsNamed(string json, string message)
    {
        string said = Assert.Throws<InvalidDataException>(() => PreferenceRecords.Pair(Record(json))).Message;
        Assert.StartsWith("pairs.jsonl: line 3: ", said, StringComparison.Ordinal);
        Assert.Contains(message, said, StringComparison.Ordinal);
    }

    private static DataRecord Record(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return new DataRecord(document.RootElement.Clone(), "pairs.jsonl", 3);
    }

    private static string Shown(IReadOnlyList<ChatMessage> messages) => string.Join('|', messages.Select(m => $"{m.Role}: {m.Text}"));
}
