using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class ConversationsTests : IDisposable
{
    private static readonly ChatTemplate ChatMl = ChatTemplate.Parse(ChatTemplate.ChatMl);
    private static readonly Tokenizer Tokenizer = ByteLevelBpeTrainer.Train(
        Corpus.FromTexts(["Hello there, how are you? I am fine, thank you.", "user assistant system Summarize this dialogue. It rains, and it rains. 🦉 owl"]),
        new ByteLevelBpeOptions(320, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])).Tokenizer;

    private static readonly ChatEncoder Chat = new(Tokenizer, ChatMl);

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}""", "system: S|user: Q|assistant: A")]
    [InlineData("""{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}, {"from": "observation", "value": "O"}]}""", "user: Q|assistant: A|tool: O")]
    [InlineData("""{"instruction": "I", "input": "", "output": "A"}""", "user: I|assistant: A")]
    [InlineData("""{"instruction": "I", "input": "N", "output": "A", "system": "S"}""", "system: S|user: I\n\nN|assistant: A")]
    [InlineData("""{"instruction": "I", "input": null, "output": "A"}""", "user: I|assistant: A")]
    [InlineData("""{"prompt": "Q", "completion": "A"}""", "user: Q|assistant: A")]
    [InlineData("""{"dialogue": "D", "summary": "A"}""", "user: Summarize this dialogue.\n\nD|assistant: A")]
    [InlineData("""{"dialogue": "D", "section": "ALLERGY", "summary": "A"}""", "user: Summarize this dialogue for the section ALLERGY.\n\nD|assistant: A")]
    public void EveryPublishedShapeIsRead(string record, string expected)
    {
        ChatConversation conversation = Assert.Single(Conversations.Read([_folder.Write("a.jsonl", record)]));
        Assert.Equal(expected, string.Join('|', conversation.Messages.Select(m => $"{m.Role}: {m.Text}")));
    }

    [Theory]
    [InlineData("""{"text": "a document"}""", "not a conversation")]
    [InlineData("""{"prompt": "Q"}""", "not a conversation")]
    [InlineData("""{"messages": "hello"}""", "messages")]
    [InlineData("""{"messages": [{"content": "no role"}]}""", "a turn needs a role")]
    [InlineData("""{"messages": [5]}""", "object")]
    [InlineData("""{"conversations": {}}""", "must be a list of turns")]
    [InlineData("""{"messages": []}""", "messages is empty")]
    [InlineData("""{"conversations": [{"from": "human"}]}""", "the user turn has no value; it has from")]
    [InlineData("""{"conversations": [{"from": "alien", "value": "x"}]}""", "the from \"alien\" is unknown; known are system")]
    [InlineData("""{"instruction": "I"}""", "the field \"output\" is missing")]
    [InlineData("""{"dialogue": "D", "summary": null}""", "not a conversation; the record has dialogue, summary")]
    public void OtherRecordsAreRefusedWithFileAndLine(string record, string problem)
    {
        string path = _folder.Write("a.jsonl", "{\"prompt\": \"Q\", \"completion\": \"A\"}\n" + record);
        string message = Assert.Throws<InvalidDataException>(() => Conversations.Read([path]).ToList()).Message;
        Assert.StartsWith($"{path}: line 2: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void AConversationThatTheTemplateRefusesIsNamedByFileAndLine()
    {
        ChatTemplate strict = ChatTemplate.Parse("{% if messages[0].role == 'user' %}{{ raise_exception('no user first') }}{% endif %}");
        string path = _folder.Write("a.jsonl", "\n" + """{"prompt": "Q", "completion": "A"}""");
        string message = Assert.Throws<InvalidDataException>(() => new SupervisedExamples(new ChatEncoder(Tokenizer, strict), new ExampleLimits(99, 99)).Read([path])).Message;
        Assert.StartsWith($"{path}: line 2: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("Hello there|I am fine, thank you.")]
    [InlineData("how are you?| It rains 🦉🦉 \n and it rains. |again|\nowl\n")]
    [InlineData("x||y|z")]
    public void OnlyWhatTheAssistantSaysCountsWithTheEndOfItsTurn(string turns)
    {
        string[] texts = turns.Split('|');
        ChatConversation conversation = new([new ChatMessage("system", "I am assistant"), .. texts.Select((t, i) => new ChatMessage(i % 2 == 0 ? "user" : "assistant", t))]);
        Example example = Tokenize(conversation);
        string expected = string.Concat(texts.Where((_, i) => i % 2 == 1).Select(t => t + "<|im_end|>"));

        MicroBatch batch = Assert.Single(new PackedExamples([example], 10_000, 0).All());
        int[] counted = [.. batch.Targets.Where(t => t >= 0)];
        Assert.Equal(expected, Tokenizer.Decode(counted, skipSpecialTokens: false));
        // A target stands where the token before it goes in: the first one behind the header's line break.
        int first = Array.FindIndex(batch.Targets, t => t >= 0);
        Assert.EndsWith("<|im_start|>assistant\n", Tokenizer.Decode(batch.Tokens.Ids.AsSpan(0, first + 1), skipSpecialTokens: false), StringComparison.Ordinal);
        Assert.Equal(
            string.Concat(ChatMl.Render(conversation)), Tokenizer.Decode(example.Ids, skipSpecialTokens: false));
        Assert.Equal(texts.Length / 2, counted.Count(t => t == Tokenizer.TokenToId("<|im_end|>")));
    }

    [Fact]
    public void APromptIsTheBeginningOfTheTokenizedConversation()
    {
        ChatConversation question = new([new ChatMessage("user", "how are you?")]);
        ChatConversation answered = new([new ChatMessage("user", "how are you?"), new ChatMessage("assistant", "fine")]);
        int[] prompt = Chat.EncodePrompt(question);
        Example example = Tokenize(answered);
        Assert.Equal(prompt, example.Ids[..prompt.Length]);
        Assert.Equal(prompt.Length, Array.IndexOf(example.Counts!, true));
    }

    [Fact]
    public void WithoutAnAssistantNothingCounts()
    {
        Example example = Tokenize(new ChatConversation([new ChatMessage("user", "hello")]));
        Assert.NotEmpty(example.Ids);
        Assert.DoesNotContain(true, example.Counts!);
    }

    private static Example Tokenize(ChatConversation conversation)
    {
        (int[] ids, bool[] assistant) = Chat.EncodeWithAssistant(conversation);
        return new Example(ids, assistant);
    }
}
