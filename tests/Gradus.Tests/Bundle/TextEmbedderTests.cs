using Gradus.Bundle;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors.Cpu;
using Gradus.Tests.Files;

namespace Gradus.Tests.Bundle;

/// <summary>Texts as vectors, from models of every kind.</summary>
public sealed class TextEmbedderTests : IDisposable
{
    private static readonly string[] Texts = ["a cat", "a dog and a cat sit on a mat", "no", "a cat"];
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Kinds => ["bert", "llama", "t5"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ATextHasTheSameVectorInAnyCompany(string kind)
    {
        using ModelBundle bundle = Open(kind);
        TextEmbedder embedder = new(bundle);
        float[][] together = embedder.Embed(Texts);
        Assert.Equal(Texts.Length, together.Length);
        for (int i = 0; i < Texts.Length; i++)
        {
            Assert.Equal(embedder.Embed([Texts[i]])[0], together[i]);
            Assert.Equal(1, together[i].Sum(v => (double)v * v), 1e-6);
        }
        Assert.Equal(together[0], together[3]);
        Assert.NotEqual(together[0], together[1]);
    }

    [Fact]
    public void APoolingOfTheFilesHolds()
    {
        using ModelBundle bundle = Open("bert");
        Assert.Equal(new TextEmbedder(bundle, new EmbeddingOptions(Pooling.Mean)).Embed(Texts), new TextEmbedder(bundle).Embed(Texts));
        using ModelBundle marked = new(bundle.Model, bundle.Tokenizer, bundle.Location, pooling: Pooling.First);
        Assert.Equal(new TextEmbedder(bundle, new EmbeddingOptions(Pooling.First)).Embed(Texts), new TextEmbedder(marked).Embed(Texts));
        Assert.NotEqual(new TextEmbedder(bundle).Embed(Texts), new TextEmbedder(marked).Embed(Texts));
    }

    [Fact]
    public void DimensionsAreTheFirstValues()
    {
        using ModelBundle bundle = Open("bert");
        float[] whole = new TextEmbedder(bundle, new EmbeddingOptions(Normalize: false)).Embed(Texts)[1];
        Assert.Equal(whole[..5], new TextEmbedder(bundle, new EmbeddingOptions(Normalize: false, Dimensions: 5)).Embed(Texts)[1]);
        float[] scaled = new TextEmbedder(bundle, new EmbeddingOptions(Dimensions: 5)).Embed(Texts)[1];
        Assert.Equal(1, scaled.Sum(v => (double)v * v), 1e-6);
        string refused = Assert.Throws<ArgumentException>(() => new TextEmbedder(bundle, new EmbeddingOptions(Dimensions: 25)).Embed(Texts)).Message;
        Assert.Contains("24 values", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void ATextThatIsTooLongIsCutOnlyIfAsked()
    {
        using ModelBundle bundle = Open("bert");
        string text = new('a', SmallBundles.Context + 7);
        string refused = Assert.Throws<ArgumentException>(() => new TextEmbedder(bundle).Embed([text])).Message;
        Assert.Contains($"{SmallBundles.Context + 7} tokens, but the model's context is {SmallBundles.Context}", refused, StringComparison.Ordinal);
        TextEmbedder cutting = new(bundle, new EmbeddingOptions(Truncate: true));
        Assert.Equal(cutting.Embed([text[..SmallBundles.Context]])[0], cutting.Embed([text])[0]);
        Assert.Throws<ArgumentException>(() => cutting.Embed([""]));
    }

    private ModelBundle Open(string kind)
    {
        ModelConfig config = kind switch { "bert" => SmallBundles.Bert, "t5" => SmallBundles.T5, _ => SmallBundles.Llama };
        return ModelBundle.Open(SmallBundles.Write(_folder, kind, config), CpuDevice.Default);
    }
}
