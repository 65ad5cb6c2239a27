using System.Reflection;
using System.Text.Json.Serialization;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Optimizers;

/// <summary>What every optimizer of the registry promises, with its options as they are and the other way round.</summary>
public sealed class OptimizerContractTests
{
    private static readonly CpuDevice Device = CpuDevice.Create(CpuFeatures.Best, Workers.Default);

    public static TheoryData<string> Kinds => [.. typeof(OptimizerOptions).GetCustomAttributes<JsonDerivedTypeAttribute>().SelectMany(a => new[] { $"{a.TypeDiscriminator}", $"{a.TypeDiscriminator} turned" })];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void GoesDownABowl(string kind)
    {
        using Workspace store = new(Device);
        Parameter[] parameters = Parameters(store);
        OptimizerOptions options = Options(kind);
        using Optimizer optimizer = new(ParameterPlan.Of(parameters, options), Device);
        double before = Height(parameters);
        for (int i = 0; i < 200; i++)
            Step(optimizer, parameters, store);
        Assert.InRange(Height(parameters), 0, 0.9 * before);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ClimbsWhereAsked(string kind)
    {
        using Workspace store = new(Device);
        Parameter[] down = Parameters(store), up = Parameters(store);
        OptimizerOptions options = Options(kind);
        using Optimizer first = new(ParameterPlan.Of(down, options), Device), second = new(ParameterPlan.Of(up, options with { Maximize = true }), Device);
        for (int i = 0; i < 20; i++)
        {
            Step(first, down, store);
            Step(second, up, store);
        }
        Assert.True(Height(up) > Height(down), $"{Height(up)} and {Height(down)}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void GoesOnFromItsStateBitForBitWithAnyNumberOfThreads(string kind)
    {
        string[] results = [.. new[] { (Stop: 0, Threads: 1), (Stop: 3, Threads: 1), (Stop: 0, Threads: 3) }.Select(run =>
        {
            using Threads threads = new(run.Threads);
            using Workspace store = new(threads.Device);
            Parameter[] parameters = Parameters(store);
            Optimizer optimizer = New();
            for (int i = 0; i < 7; i++)
            {
                if (i == run.Stop && i > 0)
                {
                    Optimizer old = optimizer;
                    optimizer = New();
                    optimizer.Steps = old.Steps;
                    foreach ((string name, Tensor value) in old.State)
                        value.Span().CopyTo(optimizer.State[name].Span());
                    old.Dispose();
                }
                Step(optimizer, parameters, store);
            }
            string sha = TinyTraining.Sha([.. parameters.Select(p => p.Value), .. optimizer.State.Values]);
            optimizer.Dispose();
            return sha;

            Optimizer New() => new(ParameterPlan.Of(parameters, Options(kind)), threads.Device);
        })];
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void StateThatIsSharedOutGivesTheSameBits(string kind)
    {
        using Workspace store = new(Device);
        Parameter[] whole = Parameters(store), shared = Parameters(store);
        using Optimizer alone = new(ParameterPlan.Of(whole, Options(kind)), Device);
        Optimizer[] owners = [.. Enumerable.Range(0, 2).Select(r => new Optimizer(ParameterPlan.Of(shared, Options(kind)), Device, owned: p => Array.IndexOf(shared, p) % 2 == r))];
        for (int i = 0; i < 5; i++)
        {
            Step(alone, whole, store);
            foreach (Optimizer owner in owners)
                Step(owner, shared, store, others: p => owner != owners[Array.IndexOf(shared, p) % 2]);
        }
        Assert.Equal(TinyTraining.Sha(whole.Select(p => p.Value)), TinyTraining.Sha(shared.Select(p => p.Value)));
        Assert.Equal(alone.State.Keys.Order(), owners.SelectMany(o => o.State.Keys).Order());
        Assert.Equal(alone.StateBytes == 0, owners.Sum(o => o.StateBytes) == 0);
        foreach (Optimizer owner in owners)
            owner.Dispose();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void GradientsOfZeroKeepEverythingFinite(string kind)
    {
        using Workspace store = new(Device);
        Parameter[] parameters = Parameters(store);
        using Optimizer optimizer = new(ParameterPlan.Of(parameters, Options(kind)), Device);
        for (int i = 0; i < 5; i++)
        {
            foreach (Parameter p in parameters)
                p.Value.AddGradient(store.Zeros(p.Shape));
            optimizer.Step(1);
        }
        Assert.All(parameters, p => Assert.All(p.Value.ToArray(), v => Assert.True(float.IsFinite(v))));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ARateOfZeroChangesNothing(string kind)
    {
        using Workspace store = new(Device);
        Parameter[] parameters = Parameters(store);
        string before = TinyTraining.Sha(parameters.Select(p => p.Value));
        using Optimizer optimizer = new(ParameterPlan.Of(parameters, Options(kind)), Device);
        foreach (Parameter p in parameters)
            p.Value.AddGradient(store.From(p.Value.ToArray(), p.Shape));
        optimizer.Step(0);
        Assert.Equal(before, TinyTraining.Sha(parameters.Select(p => p.Value)));
    }

    [Fact]
    public void MuonsUpdateIsOrthogonalWhicheverWayTheMatrixLies()
    {
        using Workspace store = new(Device);
        Parameter wide = new("wide", store.Zeros(new Shape(8, 24))) { Trainable = true }, tall = new("tall", store.Zeros(new Shape(24, 8))) { Trainable = true };
        float[] gradient = [.. Enumerable.Range(0, 192).Select(i => (float)CounterRandom.Normal(3, i))];
        Muon muon = new(1, WeightDecay: 0);
        using Optimizer optimizer = new(
            [ParameterPlan.Of(wide, muon, ParameterUse.Matrix), ParameterPlan.Of(tall, muon, ParameterUse.TransposedMatrix)], Device);
        wide.Value.AddGradient(store.From(gradient, wide.Shape));
        tall.Value.AddGradient(store.From(gradient, wide.Shape).SwapAxes());
        optimizer.Step(1);
        // The transpose of the one is the other, up to the order of sums.
        PaddedClose(wide.Value.ToArray(), tall.Value.SwapAxes().ToArray(), 1e-4);
        Tensor gram = wide.Value.MatMul(wide.Value, transposeB: true);
        for (int i = 0; i < 8; i++)
        {
            for (int j = 0; j < 8; j++)
                Assert.InRange(gram.Span()[(i * 8) + j], i == j ? 0.4 : -0.35, i == j ? 1.5 : 0.35);
        }
    }

    private static void PaddedClose(float[] expected, float[] actual, double tolerance) =>
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));

    private static Parameter[] Parameters(Workspace store) =>
    [
        .. new (string Name, Shape Shape)[] { ("tall", new Shape(37, 12)), ("vector", new Shape(13)), ("wide", new Shape(6, 40)), ("cube", new Shape(4, 3, 5)), ("large", new Shape(150, 130)) }
            .Select((s, i) => new Parameter(s.Name, store.From([.. Enumerable.Range(0, (int)s.Shape.Count).Select(k => 1 + (float)CounterRandom.Normal((ulong)i, k))], s.Shape)) { Trainable = true }),
    ];

    // The bowl is ½Σx², whose gradient is x.
    private static double Height(Parameter[] parameters) => parameters.Sum(p => p.Value.ToArray().Sum(v => 0.5 * v * v));

    private static void Step(Optimizer optimizer, Parameter[] parameters, Workspace store, Func<Parameter, bool>? others = null)
    {
        foreach (Parameter p in parameters)
        {
            if (others?.Invoke(p) != true)
                p.Value.AddGradient(store.From(p.Value.ToArray(), p.Shape));
        }
        optimizer.Step(1);
    }

    // Turned: every switch the other way, every number that may be 0 and is, something else.
    private static OptimizerOptions Options(string kind)
    {
        Type type = typeof(OptimizerOptions).GetCustomAttributes<JsonDerivedTypeAttribute>().First(a => (string)a.TypeDiscriminator! == kind.Split(' ')[0]).DerivedType;
        ConstructorInfo constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        bool turned = kind.EndsWith("turned", StringComparison.Ordinal);
        object?[] values = [.. constructor.GetParameters().Select(p => p.DefaultValue switch
        {
            _ when p.Name == "LearningRate" => type == typeof(Adadelta) || type == typeof(Adafactor) ? 1.0 : 1e-2,
            bool b when turned => !b,
            float and 0f when turned => p.Name is "NeuronBeta" or "Momentum" or "Beta1" ? 0.9f : 0.05f,
            0.0 when turned => 0.05,
            int and 0 when turned => Enum.ToObject(p.ParameterType, 1),
            object v when p.ParameterType.IsEnum => Enum.ToObject(p.ParameterType, turned ? 1 : v),
            object v => v,
            _ => null,
        })];
        // Nesterov's momentum is one without dampening.
        return (OptimizerOptions)constructor.Invoke(values);
    }
}
