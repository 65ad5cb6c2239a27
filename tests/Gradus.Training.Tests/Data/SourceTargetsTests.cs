using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Data;

public sealed class SourceTargetsTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = new(CharacterTokenizer.Train(["abcdefgh \n"], ["<pad>", "<|endoftext|>"]).Parts);
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"source": "ab", "target": "c"}""", "ab", "c")]
    [InlineData("""{"prompt": "ab", "completion": "c"}""", "ab", "c")]
    [InlineData("""{"instruction": "a", "input": "b", "output": "c", "system": "d"}""", "d\n\na\n\nb", "c")]
    [InlineData("""{"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]}""", "ab", "c")]
    public void PairsAreReadFromEveryShape(string record, string source, string target) =>
        Assert.Equal((source, target), SourceTargets.Parse(Assert.Single(TextFiles.Records(_folder.Write("a.jsonl", record)))));

    [Theory]
    [InlineData("""{"source": "ab"}""", "not a conversation; the record has source")]
    [InlineData("""{"source": "ab", "target": "c", "tools": [{"name": "t"}]}""", "tools have no place")]
    [InlineData("""{"text": "ab"}""", "not a conversation")]
    [InlineData("""{"messages": [{"role": "assistant", "content": "c"}]}""", "one request and one answer")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}""", "one request and one answer")]
    public void OtherRecordsAreRefusedWithFileAndLine(string record, string problem)
    {
        string path = _folder.Write("a.jsonl", record);
        string message = Assert.Throws<InvalidDataException>(() => new SupervisedExamples(Tokenizer, 0, new ExampleLimits(99, 99)).Read([path])).Message;
        Assert.StartsWith($"{path}: line 1: ", message, StringComparison.Ordinal);
        Assert.Contains(problem, message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDecoderReadsTheTargetBehindTheStartToken()
    {
        int end = Tokenizer.EndOfText!.Value;
        Example example = SourceTargets.Tokenize("ab", "cd", Tokenizer, startToken: 0);
        Assert.Equal([.. Tokenizer.Encode("ab"), end], example.Source!);
        Assert.Equal([0, .. Tokenizer.Encode("cd"), end], example.Ids);
        MicroBatch batch = Assert.Single(new PackedExamples([example], 100, 1).All());
        Assert.Equal([.. example.Ids[1..], MicroBatch.Ignored], batch.Targets);
        Assert.Equal(example.Source, batch.Tokens.Source!.Ids);
    }

    [Fact]
    public void AMicroBatchCountsSourcesToo()
    {
        Example[] examples = [.. Enumerable.Range(0, 6).Select(i => new Example([0, 1, 2]) { Source = [3, 4, 5, 6] })];
        Assert.All(new PackedExamples(examples, 15, 1).All(), b => Assert.Equal(2, b.Tokens.Source!.Sequences));
        Assert.Throws<InvalidDataException>(() => new PackedExamples(examples, 6, 1));
    }

    // Every letter of the target is to be found in the source, by what was written already.
    [Fact]
    public void ASmallModelLearnsToSort()
    {
        const int Letters = 8, Start = 0, End = 1;
        int[] Word(int i) => [.. Enumerable.Range(2, Letters).OrderBy(l => CounterRandom.Uniform((ulong)i, l)).Take(3 + (i % 3))];
        Example Pair(int i) => new([Start, .. Word(i).Order(), End]) { Source = [.. Word(i), End] };
        using EncoderDecoderModel model = (EncoderDecoderModel)Checkpoint.Create(
            new T5Config(2 + Letters, DModel: 32, DKv: 16, DFf: 64, NumLayers: 1, NumHeads: 2, DropoutRate: 0, RelativeAttentionNumBuckets: 16), 3, new Threads(2).Device);
        model.SetTrainable(true);
        NextToken objective = new(new PackedExamples([.. Enumerable.Range(0, 400).Select(Pair)], 512, 3));
        using Trainer trainer = new(model, objective, new TrainingOptions(Steps: 300) { Optimizer = new AdamW(LearningRate: 5e-3), Schedule = new CosineSchedule(WarmupSteps: 20) });
        double loss = 0;
        for (int i = 0; i < 300; i++)
            loss = trainer.Step().Loss;
        Assert.True(loss < 0.2, $"the loss is still {loss}");
        using Generator generator = new(model);
        Example[] unseen = [.. Enumerable.Range(1000, 20).Select(Pair)];
        IReadOnlyList<GeneratedSequence> written = generator.Run([.. unseen.Select(e => GenerationRequest.For(model, e.Source!) with { MaxNewTokens = 10, StopTokens = [End] })]);
        Assert.True(unseen.Zip(written).Count(p => p.First.Ids.AsSpan(1).SequenceEqual(p.Second.Generated)) >= 15);
    }
}
