using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Tests.Generation;

/// <summary>Frequencies that depend on the length of the text: what was cached with the short ones is computed anew when the text grows longer.</summary>
public sealed class LongRopeTests
{
    private const int ShortLimit = 20;

    private static readonly ModelConfig Config = new Phi3Config(
        TinyModels.Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: TinyModels.Context, OriginalMaxPositionEmbeddings: ShortLimit,
        RopeScaling: new RopeScaling("longrope", ShortFactor: [1, 1.1, 1.2, 1.3, 1.4, 1.5], LongFactor: [1.5, 2.2, 2.9, 3.6, 4.3, 5]), InitializerRange: 0.3f);

    [Theory]
    [InlineData(5)]
    [InlineData(ShortLimit)]
    [InlineData(ShortLimit + 1)]
    [InlineData(50)]
    public void GeneratedTokensAreThoseOfTheUncachedModel(int prompt)
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(Config, TinyModels.Cpu(2));
        int[] tokens = TinyModels.Prompt(prompt, 3);
        List<int> expected = [.. tokens];
        for (int i = 0; i < 30; i++)
            expected.Add(Best(model, [.. expected]));
        // Pieces of a prompt are read with the frequencies of the whole.
        using Generator generator = new(model, new GeneratorOptions(PromptPiece: 7));
        GeneratedSequence other = generator.Add(new GenerationRequest(TinyModels.Prompt(12, 4)) { MaxNewTokens = 40 });
        GeneratedSequence sequence = generator.Add(new GenerationRequest(tokens) { MaxNewTokens = 30 });
        while (generator.Active > 0)
            generator.Step();
        Assert.Equal(expected, sequence.Tokens.ToArray());
        using Generator alone = new(model, new GeneratorOptions(PromptPiece: 7));
        Assert.Equal(alone.Run(other.Request).Tokens.ToArray(), other.Tokens.ToArray());
        using BeamSearch search = new(model);
        Assert.Equal(expected.Skip(prompt), search.Run(new BeamSearchRequest(tokens) { Beams = 1, MaxNewTokens = 30 })[0].Generated);
    }

    [Fact]
    public void TheLongestSequenceSpeaksForAPassWithoutACache()
    {
        using DecoderModel model = (DecoderModel)TinyModels.Make(Config, TinyModels.Cpu(1));
        int[] tokens = TinyModels.Prompt(10, 3);
        float[] alone = Logits(model, [tokens]);
        Assert.Equal(alone, Logits(model, [tokens, TinyModels.Prompt(ShortLimit, 4)])[..alone.Length]);
        Assert.NotEqual(alone, Logits(model, [tokens, TinyModels.Prompt(ShortLimit + 1, 4)])[..alone.Length]);
    }

    private static int Best(DecoderModel model, int[] tokens) =>
        Distribution.Largest(Logits(model, [tokens]).AsSpan((tokens.Length - 1) * TinyModels.Vocabulary));

    private static float[] Logits(DecoderModel model, int[][] sequences)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(TokenBatch.Of(sequences), step)).ToArray();
    }
}
