using Gradus.Models;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>What every model that scores the next token must do, whatever its kind (<see cref="ContractChecks"/>).</summary>
public sealed class GenerativeContractTests
{
    public static TheoryData<string> Names() => [.. TinyModels.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void BatchedIsSingle(string name) => Check(name, ContractChecks.BatchedIsSingle);

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryParameterLearns(string name) => Check(name, ContractChecks.EveryParameterLearns);

    [Theory]
    [MemberData(nameof(Names))]
    public void SavedIsLoaded(string name) => Check(name, ContractChecks.SavedIsLoaded);

    [Theory]
    [MemberData(nameof(Names))]
    public void BeamsAreTheModels(string name) => Check(name, ContractChecks.BeamsAreTheModels);

    private static void Check(string name, Action<GenerativeModel> check)
    {
        using GenerativeModel model = TinyModels.Make(name, TinyModels.Cpu(2));
        check(model);
    }
}
