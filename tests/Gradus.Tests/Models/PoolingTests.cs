using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Sequences as single vectors.</summary>
public sealed class PoolingTests
{
    [Fact]
    public void RowsAndMeansAreThoseOfEachSequence()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Pass pass = new(EncoderCases.Batch(2, 1, 4), w);
        Tensor hidden = w.From([1f, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 4, 7], new Shape(7, 2));
        Assert.Equal([1f, 2, 5, 6, 7, 8], hidden.Pool(pass, Pooling.First).ToArray());
        Assert.Equal([3f, 4, 5, 6, 4, 7], hidden.Pool(pass, Pooling.Last).ToArray());
        Assert.Equal([2f, 3, 5, 6, 8, 10], hidden.Pool(pass, Pooling.Mean).ToArray());
    }

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.First)]
    [InlineData(Pooling.Last)]
    public void ASentenceEmbeddingIsTheSameInAnyCompany(Pooling pooling)
    {
        using EncoderModel model = (EncoderModel)EncoderCases.Make(EncoderCases.Config("BertModel"), TinyModels.Cpu(2));
        Assert.Equal(Embed(model, pooling, 17), Embed(model, pooling, 30, 5, 17)[^24..]);
    }

    [Fact]
    public void AnEmptySequenceHasNoVector()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        Pass pass = new(EncoderCases.Batch(2, 0), w);
        Assert.Throws<ArgumentException>(() => w.Zeros(new Shape(2, 3)).Pool(pass, Pooling.Mean));
    }

    private static float[] Embed(EncoderModel model, Pooling pooling, params int[] lengths)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        Pass pass = new(EncoderCases.Batch(lengths), step);
        return model.Hidden(pass).Pool(pass, pooling).ToArray();
    }
}
