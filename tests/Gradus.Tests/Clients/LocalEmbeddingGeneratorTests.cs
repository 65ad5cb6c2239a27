using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Nn;
using Microsoft.Extensions.AI;

namespace Gradus.Tests.Clients;

/// <summary>Vectors of texts behind the interface that applications speak.</summary>
public sealed class LocalEmbeddingGeneratorTests : IDisposable
{
    private readonly ModelBundle _bundle = ClientModels.Llama();

    public void Dispose() => _bundle.Dispose();

    [Fact]
    public async Task ATextHasItsVectorInAnyCompany()
    {
        using LocalEmbeddingGenerator generator = new(_bundle);
        GeneratedEmbeddings<Embedding<float>> both = await generator.GenerateAsync(["One", "Another one"]);
        Assert.Equal(new TextEmbedder(_bundle).Embed(["Another one"])[0], both[1].Vector.ToArray());
        Assert.Equal(14, both.Usage!.InputTokenCount);
        Assert.Equal("llama", both[0].ModelId);
        ReadOnlyMemory<float>[] alone = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => generator.GenerateVectorAsync(i % 2 == 0 ? "One" : "Another one"))));
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(both[i % 2].Vector.ToArray(), alone[i].ToArray());
    }

    [Fact]
    public async Task PoolingAndDimensionsAreTheRequestS()
    {
        using LocalEmbeddingGenerator generator = new(_bundle, new EmbeddingOptions(Pooling.Last));
        float[] last = (await generator.GenerateVectorAsync("One")).ToArray();
        float[] mean = (await generator.GenerateVectorAsync("One", With("pooling", "mean"))).ToArray();
        Assert.NotEqual(last, mean);
        Assert.Equal(new TextEmbedder(_bundle, new EmbeddingOptions(Pooling.First)).Embed(["One"])[0], (await generator.GenerateVectorAsync("One", With("pooling", "cls"))).ToArray());
        float[] few = (await generator.GenerateVectorAsync("One", new EmbeddingGenerationOptions { Dimensions = 5 })).ToArray();
        Assert.Equal(5, few.Length);
        Assert.Equal(1, few.Sum(v => v * v), 5);
        Assert.Equal(last[1] / last[0], few[1] / few[0], 4);
        float[] raw = (await generator.GenerateVectorAsync("One", With("normalize", false))).ToArray();
        Assert.NotEqual(1, raw.Sum(v => v * v), 2);
        Assert.Contains("pool", (await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateVectorAsync("One", With("pool", "mean")))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateVectorAsync(""));
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateVectorAsync("One", new EmbeddingGenerationOptions { Dimensions = 500 }));
        await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateVectorAsync(new string('a', 2000)));
        Assert.NotEmpty((await generator.GenerateVectorAsync(new string('a', 2000), With("truncate", true))).ToArray());

        static EmbeddingGenerationOptions With(string name, object value) => new() { AdditionalProperties = new() { [name] = value } };
    }
}
